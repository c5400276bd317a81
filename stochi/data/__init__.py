"""Data sets as tensors: images in [0, 1] or frames of events, and integer labels."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
