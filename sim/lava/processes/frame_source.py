"""The source of a stock network: shows one sample's frame a step, samples after each other."""

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
    """Sends ``frames[step or 0, sample]``, axes reversed into Lava's order.

    Args:
        frames: (1 or steps, samples, *shape) integers.
        steps: a sample's.
    """

    def __init__(self, *, frames: np.ndarray, steps: int) -> None:
        super().__init__(frames=frames.astype(np.int32), steps=steps)
        self.s_out = OutPort(shape=frames.shape[2:][::-1])


@implements(proc=FrameSource, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyFrameSource(PyLoihiProcessModel):
    """Sends zeros after the last sample."""

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
