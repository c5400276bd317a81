"""Uniform whole numbers for the making of samples, from the chip's counter-based generator."""

import numpy as np
import torch

from stochi.hardware.draws import LayerDraws
from stochi.hardware.fixed_point import Integers
from stochi.hardware.noise import random_bytes

CAMERA_LAYER, ENCODER_LAYER = 2**16 - 1, 2**16 - 2
"""Layers whose draws no network shares: no Program has that many layers."""


def draw_words(
    samples: Integers, count: int, size: int, draws: LayerDraws, stream: int = 0
) -> Integers:
    """Draw uniform whole numbers of a few bytes.

    Args:
        samples: (n,) int64 in [0, 2³²), the number of each sample, numpy or torch.
        count: draws a sample.
        size: bytes a draw, from 1 to 7.
        draws: seed, trial, layer, step and source.
        stream: in [0, 2¹⁶).

    Returns:
        (n, count) int64 in [0, 2^(8·size)), of the kind of ``samples`` and on their device.
    """
    places: Integers = (
        torch.arange(count * size, device=samples.device)
        if isinstance(samples, torch.Tensor)
        else np.arange(count * size)
    )
    drawn = random_bytes(samples, places, draws, stream).reshape(len(samples), count, size)
    words = drawn[..., 0]
    for byte in range(1, size):
        words = words << 8 | drawn[..., byte]
    return words
