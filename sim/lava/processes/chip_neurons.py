"""Neurons that Lava's LIF does not know, between Lava's own synapses."""

from dataclasses import replace

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from stochi.hardware.draws import Draws
from stochi.program.layers import CONSTANT
from stochi.program.program import Program
from stochi.sim.engine.neuron_step import RunningNeurons
from stochi.sim.lava.array_layer import ArrayLayer


class ChipNeurons(AbstractProcess):
    """The neurons of a layer: drawn decays, noise, resets and refractory periods of a Program.

    They take synaptic sums, and send spikes in the same time step, with reversed axes as Lava's
    neurons. Samples run one after another, each from zero states.

    Args:
        program: the Program.
        index: the layer's number in the Program.
        draws: draws of the run.
        delay: number of time steps that the layer runs late.
    """

    def __init__(self, *, program: Program, index: int, draws: Draws, delay: int) -> None:
        layer = program.layers[index]
        constant = np.zeros((1, *layer.shape), np.int32)
        if any(projection.source == CONSTANT for projection in layer.projections):
            constant = sum(ArrayLayer(program, index).constant_sums().values(), constant)
        super().__init__(
            neurons=RunningNeurons(layer, index),
            constant=constant,
            draws=draws,
            delay=delay,
            steps=program.target.time_steps,
        )
        self.a_in = InPort(shape=layer.shape[::-1])
        self.s_out = OutPort(shape=layer.shape[::-1])
        self.v = Var(shape=layer.shape[::-1], init=0)


@implements(proc=ChipNeurons, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyChipNeurons(PyLoihiProcessModel):
    """Model of :class:`ChipNeurons`; before its first own time step it sends no spikes."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, bool, precision=1)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        self.neurons: RunningNeurons = proc_params["neurons"]
        self.constant: np.ndarray = proc_params["constant"]
        self.draws: Draws = proc_params["draws"]
        self.delay: int = proc_params["delay"]
        self.steps: int = proc_params["steps"]
        self.state = self.neurons.resting_state(1)

    def run_spk(self) -> None:
        """Run one time step."""
        synaptic = self.a_in.recv().T[None].astype(np.int32) + self.constant
        own = self.time_step - 1 - self.delay
        if own >= 0:
            sample, step = divmod(own, self.steps)
            if step == 0:
                self.state = self.neurons.resting_state(1)
            draws = replace(self.draws, first_sample=self.draws.first_sample + sample)
            self.state = self.neurons.step(self.state, synaptic, draws, step)
        self.v = np.ascontiguousarray(self.state.membrane[0].T).astype(np.int32)
        self.s_out.send(np.ascontiguousarray(self.state.spikes[0].T))
