"""From a Program to spikes: the engine, the Lava back end, and the parity checker."""

import importlib
from typing import TYPE_CHECKING, Any

from stochi.sim.record import Record
from stochi.sim.run import run

if TYPE_CHECKING:
    from stochi.sim.ablation import ablate
    from stochi.sim.distribution import Margins
    from stochi.sim.parity import check_parity
    from stochi.sim.verdicts import combine_seeds

__all__ = ["Margins", "Record", "ablate", "check_parity", "combine_seeds", "run"]

# The parity checker and the ablation see both sides of the border and so need snnTorch; running
# does not.
_LATE = {
    "Margins": "distribution",
    "ablate": "ablation",
    "check_parity": "parity",
    "combine_seeds": "verdicts",
}


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(importlib.import_module(f"{__name__}.{_LATE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
