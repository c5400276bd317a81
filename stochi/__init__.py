"""Stochi: randomized spiking networks from snnTorch to Loihi arithmetic on Lava, with proof.

The stages are subpackages, imported on first use: ``stochi.train``, ``stochi.export``,
``stochi.deploy``, ``stochi.sim`` and ``stochi.parity``. ``stochi.hardware`` defines the chip, and
``stochi.program`` the networks that run on it.
"""

import lazy_loader

from stochi import forks as _forks  # noqa: F401, prepares this process for forks
from stochi.packages import VERSION as __version__  # noqa: F401

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
