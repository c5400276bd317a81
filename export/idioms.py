"""The readers of all torch functions that a graph can express, by the function's name."""

from stochi.export.readers.arithmetic import ARITHMETIC
from stochi.export.readers.pooling import POOLING
from stochi.export.readers.protocol import Reader
from stochi.export.readers.rearranging import REARRANGING
from stochi.export.readers.shapes import SHAPES
from stochi.export.readers.weights import WEIGHTS

READERS: dict[str, Reader] = {**REARRANGING, **ARITHMETIC, **SHAPES, **POOLING, **WEIGHTS}
