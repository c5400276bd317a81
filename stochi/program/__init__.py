"""The Program: a network in the chip's integers, the one form between a graph and a run."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
