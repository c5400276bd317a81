"""Uniform whole numbers for the making of samples, from the chip's counter-based generator."""

from stochi.hardware.draws import LayerDraws
from stochi.hardware.fixed_point import Integers
from stochi.hardware.noise import random_bytes

CAMERA_LAYER, ENCODER_LAYER = 2**16 - 1, 2**16 - 2
"""Layers whose draws no network shares: no Program has that many layers."""


def draw_words(
    samples: Integers, places: Integers, draws: LayerDraws, stream: int = 0, size: int = 4
) -> Integers:
    """Draw uniform whole numbers, (n, places) int64 in [0, 2^(8·size)).

    Args:
        samples: (n,) int64 in [0, 2³²), the number of each sample.
        places: ``arange`` over the draws of a sample, int64, on the same device.
        draws: seed, trial, layer, step and source.
        stream: first of ``size`` streams that the bytes come from.
    """
    words = samples[:, None] * 0 + places * 0
    for number in range(stream, stream + size):
        words = words << 8 | random_bytes(samples, places, draws, number)
    return words
