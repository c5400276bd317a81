"""A whole layer as one process: its synapses and neurons, several samples side by side."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from stochi.deploy.program import CONSTANT, Layer, Program
from stochi.sim.lava.jobs import Clock
from stochi.sim.layer_step import (
    DrawCoordinates,
    resting_state,
    step_neurons,
    synaptic_sums,
    to_tensors,
)
from stochi.sim.torch_engine import sums_at

MAX_SOURCES = 8


def sources_of(layer: Layer) -> list[str]:
    """Whose spikes a layer gets through ports; its own it remembers."""
    names = dict.fromkeys(synapses.source for synapses in layer.synapses)
    return [name for name in names if name not in (CONSTANT, layer.name)]


class ChipLayer(AbstractProcess):
    """Layer number ``index`` of a Program. Port ``in<i>`` takes its i-th source's spikes, as
    (side by side, n) in C order; those of later layers arrive a time step later."""

    def __init__(self, *, program: Program, index: int, folder: Path, side_by_side: int) -> None:
        clock = Clock(folder, program.steps, side_by_side)
        super().__init__(program=program, index=index, clock=clock)
        layer = program.layers[index]
        names = sources_of(layer)
        for number in range(MAX_SOURCES):
            neurons = 1
            if number < len(names):
                synapses = next(s for s in layer.synapses if s.source == names[number])
                neurons = math.prod(program.source_shape(synapses, layer))
            setattr(self, f"in{number}", InPort(shape=(side_by_side, neurons)))
        self.s_out = OutPort(shape=(side_by_side, layer.neurons))


@implements(proc=ChipLayer, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyChipLayer(PyLoihiProcessModel):
    """Receives this step's spikes, steps the layer in torch, sends its own in the same step."""

    in0: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in1: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in2: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in3: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in4: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in5: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in6: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    in7: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.uint8)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.uint8)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        # This process was forked: torch's threads stayed behind, and must not be waited for.
        torch.set_num_threads(1)
        self.program: Program = proc_params["program"]
        self.index: int = proc_params["index"]
        self.clock: Clock = proc_params["clock"]
        self.layer = self.program.layers[self.index]
        self.tensors = to_tensors(self.program, self.layer, torch.device("cpu"))
        self.names = sources_of(self.layer)
        order = {layer.name: place for place, layer in enumerate(self.program.layers)}
        self.late = {name for name in self.names if order.get(name, -1) > self.index}
        self.longest = max(synapses.longest_delay for synapses in self.layer.synapses)
        self.past: dict[str, dict[int, torch.Tensor]] = {}
        self.constant = self._constant_sums()
        self.files: dict[str, np.ndarray] = {}

    def run_spk(self) -> None:
        """One step of one group of samples."""
        clock = self.clock
        if clock.tick():
            self._open_files()
        if clock.step == 0:
            self.past = {name: {} for name in (*self.names, self.layer.name)}
            self.state = resting_state(self.layer, clock.side_by_side, torch.device("cpu"))
        self._receive()
        with torch.no_grad():
            self._step()
        self.past[self.layer.name][clock.step] = self.state.spikes
        for past in self.past.values():
            past.pop(clock.step - self.longest - 1, None)
        self._record()
        self.s_out.send(self.state.spikes.flatten(1).numpy().view(np.uint8))

    def _receive(self) -> None:
        for number, name in enumerate(self.names):
            late = name in self.late
            if late and self.time_step == 1:
                continue
            arrived = getattr(self, f"in{number}").recv()
            sent_at = self.clock.step - late
            if sent_at >= 0:  # else it is from the samples before
                synapses = next(s for s in self.layer.synapses if s.source == name)
                shape = self.program.source_shape(synapses, self.layer)
                values = torch.from_numpy(arrived).view(len(arrived), *shape)
                self.past[name][sent_at] = values

    def _step(self) -> None:
        clock, layer = self.clock, self.layer
        assert clock.job is not None
        synaptic = torch.zeros_like(self.state.membrane)
        if self.constant is not None:
            synaptic += self.constant
        for number, synapses in enumerate(layer.synapses):
            if synapses.source == CONSTANT:
                continue
            synaptic += sums_at(
                self.program,
                layer,
                synapses,
                self.tensors,
                number,
                self.past,
                clock.step,
                clock.side_by_side,
            )
        samples = torch.arange(clock.side_by_side) + clock.rows.start + clock.job.first_sample
        seed, trial, source = clock.job.seed, clock.job.trial, self.program.random_source
        draws = DrawCoordinates(seed, trial, samples, source)
        self.state = step_neurons(
            layer, self.tensors, self.state, synaptic, draws, self.index, clock.step
        )

    def _constant_sums(self) -> torch.Tensor | None:
        sums = [
            synaptic_sums(synapses, weight, torch.ones((1, *self.layer.shape), dtype=torch.int32))
            for synapses, weight in zip(self.layer.synapses, self.tensors.weights, strict=True)
            if synapses.source == CONSTANT
        ]
        return sum(sums[1:], sums[0]) if sums else None

    def _open_files(self) -> None:
        job, name = self.clock.job, self.layer.name
        assert job is not None
        self.files = {
            probe: np.lib.format.open_memmap(files[name], mode="r+")
            for probe, files in job.probes.items()
            if name in files
        }
        if name == self.program.output:
            path = self.clock.path / "read.npy"
            self.files["read"] = np.lib.format.open_memmap(path, mode="r+")

    def _record(self) -> None:
        clock, rows = self.clock, self.clock.rows
        count = rows.stop - rows.start
        values: dict[str, Any] = {"spikes": self.state.spikes, "membrane": self.state.membrane}
        for probe, file in self.files.items():
            if probe == "read":
                now = values["spikes" if self.program.readout == "spikes" else "membrane"]
                if self.program.readout == "input":
                    file[rows] = 0
                file[rows] += now[:count].flatten(1).numpy()
            else:
                file[clock.step, rows] = values[probe][:count].numpy()
        if clock.step == clock.steps - 1:
            for file in self.files.values():
                file.flush()  # type: ignore[attr-defined]
