"""Uniform whole numbers for the making of samples, from the chip's counter-based generator."""

import numpy as np

from stochi.hardware.draws import LayerDraws
from stochi.hardware.noise import random_bytes

CAMERA_LAYER, ENCODER_LAYER = 2**16 - 1, 2**16 - 2
"""Layers whose draws no network shares: no Program has that many layers."""


def draw_words(
    samples: np.ndarray, places: int, draws: LayerDraws, stream: int = 0, size: int = 4
) -> np.ndarray:
    """Draw uniform whole numbers, (samples, places) int64 in [0, 2^(8·size)).

    Args:
        samples: (n,) int64 in [0, 2³²), the number of each sample.
        places: number of draws for a sample.
        draws: seed, trial, layer, step and source.
        stream: first of ``size`` streams that the bytes come from.
    """
    words = np.zeros((len(samples), places), np.int64)
    for number in range(stream, stream + size):
        words = words << 8 | random_bytes(samples, np.arange(places), draws, number)
    return words
