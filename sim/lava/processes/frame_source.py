"""The source of a stock network, which shows samples one after another, one frame per step."""

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class FrameSource(AbstractProcess):
    """Source that sends ``frames[step or 0, sample]``, with the axes reversed to Lava's order.

    Args:
        frames: (1 or time steps, samples, *shape) integers.
        steps: time steps of a sample.
    """

    def __init__(self, *, frames: np.ndarray, steps: int) -> None:
        super().__init__(frames=frames.astype(np.int32), steps=steps)
        self.s_out = OutPort(shape=frames.shape[2:][::-1])


@implements(proc=FrameSource, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyFrameSource(PyLoihiProcessModel):
    """Model of :class:`FrameSource`; it sends zeros after the last sample."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        self.frames: np.ndarray = proc_params["frames"]
        self.steps: int = proc_params["steps"]

    def run_spk(self) -> None:
        """Send one frame."""
        sample, step = divmod(self.time_step - 1, self.steps)
        frame = np.zeros(self.frames.shape[2:], np.int32)
        if sample < self.frames.shape[1]:
            frame = self.frames[step if len(self.frames) > 1 else 0, sample]
        self.s_out.send(np.ascontiguousarray(frame.T))
