"""The RandHet study: whether random τ is harder to attack, in floats and on the chip."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
