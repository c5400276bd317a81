"""From a Program to spikes: the engine, the Lava back end, and the parity checker."""

from typing import TYPE_CHECKING, Any

from stochi.sim.record import Record
from stochi.sim.run import run

if TYPE_CHECKING:
    from stochi.sim.parity import check_parity

__all__ = ["Record", "check_parity", "run"]


def __getattr__(name: str) -> Any:
    # The parity checker sees both sides of the border and so needs snnTorch; running does not.
    if name == "check_parity":
        from stochi.sim.parity import check_parity

        return check_parity
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
