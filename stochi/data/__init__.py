"""Data sets as tensors: images in [0, 1] and integer labels."""

from stochi.data.catalogue import load
from stochi.data.digits import load_digits
from stochi.data.images import Images

__all__ = ["Images", "load", "load_digits"]
