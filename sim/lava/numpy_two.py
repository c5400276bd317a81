"""Adapt lava-nc 0.10.0 to numpy 2, in memory; nothing on disk changes.

lava-nc 0.10.0 names numpy 1. Two things in it break on numpy 2. Both replacements compute the
same on numpy 1, so there is one path for both:

- Reshaped ports call ``np.reshape(..., newshape=...)``, a name that numpy 2.4 no longer has.
- ``Conv`` keeps its kernel size, stride and so on as int8. On numpy 1 a Python integer next to an
  int8 gave a wider type; numpy 2 stays at int8, so images, or channels, of more than 127 overflow.
"""

import functools
import importlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np


def adapt_ports() -> None:
    """Give Lava's reshaped ports functions that do not name the renamed argument.

    May be called again.
    """
    port = importlib.import_module("lava.magma.core.process.ports.ports").ReshapePort
    port.get_transform_func_fwd = _to_new_shape
    port.get_transform_func_bwd = _to_old_shape


def adapt_convolutions() -> None:
    """Give Lava's Conv sizes that are Python's integers.

    May be called again. Separate from ``adapt_ports``, since importing Lava's convolution takes
    half a second, for scipy.
    """
    utils: Any = importlib.import_module("lava.proc.conv.utils")
    if not hasattr(utils.conv, "__wrapped__"):
        utils.conv = _counting_in_python(utils.conv)


def _to_new_shape(port: Any) -> Callable[[np.ndarray], np.ndarray]:
    return functools.partial(_reshape, shape=port.shape)


def _to_old_shape(port: Any) -> Callable[[np.ndarray], np.ndarray]:
    return functools.partial(_reshape, shape=port.old_shape)


def _reshape(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.reshape(values, shape)


def _counting_in_python(conv: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Wrap Lava's ``conv`` so that its sizes, of any integer type, become Python's integers."""

    @functools.wraps(conv)
    def convolve(
        input_: np.ndarray,
        weight: np.ndarray,
        kernel_size: Iterable[int],
        stride: Iterable[int],
        padding: Iterable[int],
        dilation: Iterable[int],
        groups: int,
    ) -> np.ndarray:
        sizes = (tuple(map(int, size)) for size in (kernel_size, stride, padding, dilation))
        return conv(input_, weight, *sizes, int(groups))

    return convolve
