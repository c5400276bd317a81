"""Brightness of a moving image at the pixels of a sensor, in integers."""

import math
from collections.abc import Iterator

import numpy as np

from stochi.errors import InputError

UNIT = 4096
"""Levels of the logarithm for a factor of e."""

_GREY = 255
_PART = 1024
"""Parts of an image's pixel to which positions are rounded."""
_SHADES = 4096
"""Brightnesses that are told apart, black apart."""


def grey_levels(images: np.ndarray) -> np.ndarray:
    """Round images in [0, 1], (n, height, width), to whole numbers from 0 to 255, as float64.

    Raises:
        InputError: another shape, or a value out of range.
    """
    if images.ndim != 3 or 0 in images.shape[1:]:
        raise InputError(f"images have the shape {images.shape}; a camera needs (n, height, width)")
    if images.size and not (images.min() >= 0 and images.max() <= 1):
        raise InputError(
            f"images range from {images.min():g} to {images.max():g}; a camera needs [0, 1]"
        )
    return np.rint(images.astype(np.float64) * _GREY)


def brightness(
    grey: np.ndarray, path: np.ndarray, height: int, width: int, filled: float, dark: float
) -> Iterator[np.ndarray]:
    """Yield the logarithm of the brightness at each moment of the path.

    A pixel sees the image through a quadratic B-spline as wide as three of the image's pixels.

    Args:
        grey: (n, height, width) whole numbers from 0 to 255, as float64.
        path: (moments, 2) rows and columns in the sensor's pixels.
        height, width, filled, dark: as in :class:`stochi.data.events.camera.Camera`.

    Yields:
        (n · height · width,) int64, in ``1 / UNIT``.
    """
    rows, columns = grey.shape[1:]
    scale = filled * min(height, width) / max(rows, columns)
    shades = _SHADES / (_GREY * (2 * _PART**2) ** 2)
    logarithms = _logarithms(dark)
    for down, right in path:
        # Whole numbers below 2⁵⁰, so that every sum is exact, in any order.
        light = _spline(height, rows, scale, down) @ grey @ _spline(width, columns, scale, right).T
        yield logarithms[(light * shades).astype(np.int64)].reshape(-1)


def _spline(pixels: int, size: int, scale: float, offset: float) -> np.ndarray:
    """Return what each pixel of a sensor's line sees of an image's line, (pixels, size) float64.

    The weights are whole numbers; those of a pixel well inside the image add up to ``2·_PART²``.
    """
    places = (np.arange(pixels) + 0.5 - pixels / 2 - offset) / scale + size / 2
    nearest, part = np.divmod(np.rint(places * _PART).astype(np.int64), _PART)
    rest = _PART - part
    padded = np.zeros((pixels, size + 2))
    for shift, weight in enumerate((rest**2, _PART**2 + 2 * part * rest, part**2)):
        seen = nearest + shift
        inside = (seen >= 0) & (seen < size + 2)
        padded[inside.nonzero()[0], seen[inside]] = weight[inside]
    return padded[:, 1:-1]


def _logarithms(dark: float) -> np.ndarray:
    """Return the logarithm, in ``1 / UNIT``, of each brightness from black to white."""
    shares = (dark + (1 - dark) * shade / _SHADES for shade in range(_SHADES + 1))
    return np.array([round(UNIT * math.log(share)) for share in shares], np.int64)
