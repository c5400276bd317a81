"""The source of a session, which shows a group of samples side by side, one frame per step."""

from pathlib import Path

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from stochi.sim.lava.jobs import Clock


class BatchSource(AbstractProcess):
    """Source that sends (side by side, n) values of at most 8 bits, in C order.

    Args:
        neurons: number n of values in a frame.
        folder: folder of the session.
        steps: time steps of a sample.
        side_by_side: number of samples in a group.
    """

    def __init__(self, *, neurons: int, folder: Path, steps: int, side_by_side: int) -> None:
        super().__init__(clock=Clock(folder, steps, side_by_side))
        self.s_out = OutPort(shape=(side_by_side, neurons))


@implements(proc=BatchSource, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyBatchSource(PyLoihiProcessModel):
    """Model of :class:`BatchSource`; rows after the last sample are zeros."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.uint8)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        self.clock: Clock = proc_params["clock"]
        self.frames: np.ndarray = np.zeros(0)

    def run_spk(self) -> None:
        """Send the frames of one time step."""
        clock = self.clock
        if clock.tick():
            self.frames = np.load(clock.path / "frames.npy", mmap_mode="r")
        shown = self.frames[clock.step if len(self.frames) > 1 else 0, clock.rows]
        sent = np.zeros((clock.side_by_side, shown.shape[1]), np.uint8)
        sent[: len(shown)] = shown
        self.s_out.send(sent)
