"""Lowering: from a NIR graph to a Program in the integers of a chip."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
