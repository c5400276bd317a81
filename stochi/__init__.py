"""Stochi: randomized spiking networks from snnTorch to Loihi arithmetic on Lava, with proof.

The stages are subpackages, imported on first use: ``stochi.train``, ``stochi.export``,
``stochi.deploy`` and ``stochi.sim``. ``stochi.hardware`` holds what the chip is.
"""

import importlib
from types import ModuleType

__version__ = "0.1.0"

_STAGES = ("attacks", "data", "deploy", "export", "hardware", "sim", "train")


def __getattr__(name: str) -> ModuleType:
    if name in _STAGES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_STAGES])
