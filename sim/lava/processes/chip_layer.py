"""A whole layer as one process: its projections and neurons, for several samples side by side."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from stochi.program.program import Program
from stochi.sim.lava.array_layer import ArrayLayer
from stochi.sim.lava.jobs import Clock
from stochi.sim.lava.layer_sources import MAX_SOURCES, sources_of


class ChipLayer(AbstractProcess):
    """A layer of a Program.

    Port ``in<i>`` takes the spikes of the layer's i-th source, (side by side, n) in C order. Spikes
    of later layers arrive a time step later.

    Args:
        program: the Program.
        index: the layer's number in the Program.
        folder: folder of the session.
        side_by_side: number of samples in a group.
    """

    def __init__(self, *, program: Program, index: int, folder: Path, side_by_side: int) -> None:
        clock = Clock(folder, program.target.time_steps, side_by_side)
        super().__init__(program=program, index=index, clock=clock)
        layer = program.layers[index]
        names = sources_of(layer)
        for number in range(MAX_SOURCES):
            neurons = 1
            if number < len(names):
                projection = next(s for s in layer.projections if s.source == names[number])
                neurons = math.prod(program.source_shape(projection, layer))
            setattr(self, f"in{number}", InPort(shape=(side_by_side, neurons)))
        self.s_out = OutPort(shape=(side_by_side, layer.neurons))


@implements(proc=ChipLayer, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyChipLayer(PyLoihiProcessModel):
    """Model of :class:`ChipLayer`, which steps the layer in numpy.

    It receives the spikes of a time step, and sends its own in the same time step.
    """

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
        self.program: Program = proc_params["program"]
        self.index: int = proc_params["index"]
        self.clock: Clock = proc_params["clock"]
        self.layer = self.program.layers[self.index]
        self.step_factors = self.program.step_factors
        self.running = ArrayLayer(self.program, self.index)
        self.names = sources_of(self.layer)
        order = {layer.name: place for place, layer in enumerate(self.program.layers)}
        self.late = {name for name in self.names if order.get(name, -1) > self.index}
        self.longest = max(projection.longest_delay for projection in self.layer.projections)
        self.past: dict[str, dict[int, np.ndarray]] = {}
        self.constant = self.running.constant_sums()
        self.files: dict[str, np.ndarray] = {}

    def run_spk(self) -> None:
        """Run one time step of a group of samples."""
        clock = self.clock
        if clock.tick():
            self._open_files()
        if clock.step == 0:
            self.past = {name: {} for name in (*self.names, self.layer.name)}
            self.state = self.running.neurons.resting_state(clock.side_by_side)
        self._receive()
        self._step()
        self.past[self.layer.name][clock.step] = self.state.spikes
        for past in self.past.values():
            past.pop(clock.step - self.longest - 1, None)
        self._record()
        self.s_out.send(self.state.spikes.reshape(clock.side_by_side, -1).astype(np.uint8))

    def _receive(self) -> None:
        for number, name in enumerate(self.names):
            late = name in self.late
            if late and self.time_step == 1:
                continue
            arrived = getattr(self, f"in{number}").recv()
            sent_at = self.clock.step - late
            if sent_at >= 0:  # otherwise the spikes are from the previous samples
                projection = next(s for s in self.layer.projections if s.source == name)
                shape = self.program.source_shape(projection, self.layer)
                self.past[name][sent_at] = arrived.reshape(len(arrived), *shape)

    def _step(self) -> None:
        clock, running = self.clock, self.running
        assert clock.job is not None
        synaptic = np.zeros(self.state.spikes.shape, np.int32)
        for number in range(len(self.layer.projections)):
            sums = self.constant.get(number)
            if sums is None:
                sums = running.sums(number, self.past, clock.step, clock.side_by_side)
            synaptic += sums
        job_draws = clock.job.draws
        draws = replace(job_draws, first_sample=job_draws.first_sample + clock.rows.start)
        self.state = running.neurons.step(self.state, synaptic, draws, clock.step)

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
                file[rows] += self.step_factors[clock.step] * now[:count].reshape(count, -1)
            else:
                file[clock.step, rows] = values[probe][:count]
        if clock.step == clock.steps - 1:
            for file in self.files.values():
                file.flush()  # type: ignore[attr-defined]
