"""Background events of a simulated camera: a Poisson process at every pixel."""

import math

import numpy as np

from stochi.data.words import CAMERA_LAYER, draw_words
from stochi.hardware.draws import LayerDraws

NEVER = 2**62
"""A time after all others."""
_BYTES, _BITS = 4, 24
"""A draw has four bytes: 24 bits are for a number or a time, the last for a polarity."""
_STREAM = 2


def draw_background(
    rate: float, duration: int, pixels: int, numbers: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw times and polarities of background events.

    Args:
        rate: events a pixel and second.
        duration: microseconds.
        pixels: number of the sensor's pixels.
        numbers: (n,) int64, the recordings' numbers.
        seed: whole number in [0, 2³²).

    Returns:
        (n · pixels, most + 1) int64 times in [0, duration), ascending, ``NEVER`` behind the last,
        and the polarity of each, 0 or 1.
    """
    counts = np.searchsorted(
        _poisson(rate * duration / 1e6), _draw_pixels(0, pixels, numbers, seed) >> 8, side="right"
    )
    most = int(counts.max(initial=0))
    events = [_draw_pixels(1 + event, pixels, numbers, seed) for event in range(most)]
    drawn = np.stack([*events, np.zeros_like(counts)], -1)
    times = np.where(np.arange(most + 1) < counts[:, None], (drawn >> 8) * duration >> _BITS, NEVER)
    order = times.argsort(-1, kind="stable")
    return np.take_along_axis(times, order, -1), np.take_along_axis(drawn & 1, order, -1)


def _draw_pixels(step: int, pixels: int, numbers: np.ndarray, seed: int) -> np.ndarray:
    """Draw a number of 32 bits for every pixel, (n · pixels,)."""
    draws = LayerDraws(seed, 0, CAMERA_LAYER, step)
    return draw_words(numbers, pixels, _BYTES, draws, _STREAM).reshape(-1)


def _poisson(mean: float) -> np.ndarray:
    """Return the distribution function of 0, 1, … events, in ``2^−_BITS``, up to 1."""
    shares: list[int] = []
    term, total = math.exp(-mean), 0.0
    while not shares or shares[-1] < 2**_BITS:
        total += term
        term *= mean / (len(shares) + 1)
        shares.append(round(total * 2**_BITS))
    return np.array(shares, np.int64)
