"""The snnTorch side: neurons, networks, training, and the twin in the chip's integers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
