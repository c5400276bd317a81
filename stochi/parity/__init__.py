"""The parity checker: what a float model, its twin and its Program do, side by side."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
