"""A layer's neurons: random-τ, stock LIF or integrator, in the chip's integers."""

from dataclasses import dataclass, field

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from stochi.deploy.program import Layer
from stochi.hardware.decays import draw_decays
from stochi.hardware.neuron import coupled_step, integrator_step, stock_step
from stochi.sim.lava.processes.schedule import Schedule


@dataclass(frozen=True)
class NeuronRun:
    """What a layer's process needs to know of the run.

    Attributes:
        index: the layer's number, a coordinate of its draws.
        probe_files: "spikes" and "membrane" → .npy files (samples, steps, *shape) to write into.
    """

    index: int
    schedule: Schedule
    seed: int
    trial: int
    first_sample: int
    probe_files: dict[str, str] = field(default_factory=dict)


class ChipNeurons(AbstractProcess):
    """The neurons of one layer of a Program; axes of its ports are reversed, as Lava has them."""

    def __init__(self, *, layer: Layer, run: NeuronRun) -> None:
        super().__init__(layer=layer, neuron_run=run)
        self.a_in = InPort(shape=layer.shape[::-1])
        self.s_out = OutPort(shape=layer.shape[::-1])


@implements(proc=ChipNeurons, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyChipNeurons(PyLoihiProcessModel):
    """Steps ``stochi.hardware.neuron`` once a time step; states start at 0 for every sample."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        layer: Layer = proc_params["layer"]
        self.layer = layer
        self.neuron_run: NeuronRun = proc_params["neuron_run"]
        self.bias = layer.bias()
        self.threshold: np.ndarray | int = 0
        if layer.threshold_mantissa is not None:
            self.threshold = layer.threshold_mantissa.astype(np.int64)
        self.neurons = np.arange(int(np.prod(layer.shape)))
        self.membrane: np.ndarray = np.zeros(layer.shape, np.int64)
        self.probes = {
            name: np.lib.format.open_memmap(path, mode="r+")
            for name, path in self.neuron_run.probe_files.items()
        }

    def run_spk(self) -> None:
        """Receive synaptic sums, step, send spikes."""
        synaptic = self.a_in.recv().T.astype(np.int64)
        spikes = np.zeros(self.layer.shape, bool)
        now = self.neuron_run.schedule.at(self.time_step)
        if now is not None:
            sample, step = now
            if step == 0:
                self.membrane = np.zeros_like(self.membrane)
            spikes = self._step(synaptic, sample, step)
            values = {"spikes": spikes, "membrane": self.membrane}
            for name, probe in self.probes.items():
                probe[sample, step] = values[name]
        self.s_out.send(np.ascontiguousarray(spikes.T.astype(np.int32)))

    def _step(self, synaptic: np.ndarray, sample: int, step: int) -> np.ndarray:
        decay = self.layer.decay
        if decay is None:
            self.membrane = integrator_step(self.membrane, synaptic, self.bias)
            return np.zeros(self.layer.shape, bool)
        keep = decay.values
        if decay.drawn:
            keep = draw_decays(
                keep,
                np.array([sample + self.neuron_run.first_sample]),
                self.neurons,
                seed=self.neuron_run.seed,
                trial=self.neuron_run.trial,
                layer=self.neuron_run.index,
                step=step,
                redraw=decay.redraw,
            ).reshape(self.layer.shape)
        chip_step = coupled_step if decay.programmable else stock_step
        spikes, self.membrane = chip_step(self.membrane, synaptic, keep, self.bias, self.threshold)
        return spikes
