"""The weight exponent, which Lava's stock ``Conv`` ignores."""

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from stochi.hardware.fixed_point import shift


class WeightExponent(AbstractProcess):
    """Shift of the synaptic sums that pass through, in the same time step, as in ``Dense``."""

    def __init__(self, *, shape: tuple[int, ...], exponent: int) -> None:
        super().__init__(exponent=exponent)
        self.a_in = InPort(shape=shape)
        self.a_out = OutPort(shape=shape)


@implements(proc=WeightExponent, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyWeightExponent(PyLoihiProcessModel):
    """Model of :class:`WeightExponent`: a left shift, or a right shift that rounds down."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        self.exponent: int = proc_params["exponent"]

    def run_spk(self) -> None:
        """Shift the sums of one time step."""
        self.a_out.send(shift(self.a_in.recv().astype(np.int64), self.exponent).astype(np.int32))
