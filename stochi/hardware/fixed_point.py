"""Loihi's integer arithmetic: widths, decays, shifts, saturation. The one definition of it.

The functions use operators that numpy arrays and torch tensors share, so training (torch), the
engine (torch) and the Lava processes (numpy) run the same lines. All integers are int64, wide
enough that no product here overflows: a 24-bit state times a 12-bit decay needs 37 bits.

The rules are those of lava-nc 0.10.0's bit-accurate LIF model
(``lava/proc/lif/models.py``, ``AbstractPyLifModelFixed``).
"""

from typing import TypeVar

import numpy as np
import torch

Integers = TypeVar("Integers", np.ndarray, torch.Tensor)

STATE_BITS = 24
STATE_MAX = 2 ** (STATE_BITS - 1) - 1
DECAY_BITS = 12
DECAY_UNITY = 2**DECAY_BITS
ALIGN_SHIFT = 6
"""Synaptic input and threshold mantissas are shifted left by this, to align with the states."""
THRESHOLD_MANTISSA_MAX = 2**17 - 1
BIAS_MANTISSA_MIN, BIAS_MANTISSA_MAX = -(2**12), 2**12 - 1
BIAS_EXPONENT_MAX = 7
WEIGHT_EXPONENT_MIN, WEIGHT_EXPONENT_MAX = -8, 7
GRADED_INPUT_MAX = 255


def scale_by_decay(state: Integers, keep: Integers | int) -> Integers:
    """``trunc(state · keep / 2¹²)``, toward zero: Loihi's decay, where ``keep = 4096 − d``.

    ``state`` holds integers of at most 51 bits, ``keep`` lies in [0, 4096].
    """
    product = state * keep
    # An arithmetic shift rounds down; adding 4095 to negative products makes it truncate.
    return (product + ((product >> 63) & (DECAY_UNITY - 1))) >> DECAY_BITS


def shift(value: Integers, exponent: int) -> Integers:
    """``value · 2^exponent``; a negative exponent shifts right, rounding down as Lava does."""
    return value << exponent if exponent >= 0 else value >> -exponent


def saturate(state: Integers) -> Integers:
    """Clip a membrane to the symmetric 24-bit range ±(2²³ − 1)."""
    return state.clip(-STATE_MAX, STATE_MAX)


def wrap(current: Integers) -> Integers:
    """Wrap a synaptic current once around 24 bits, as the bit-accurate LIF of Lava does.

    Values end in (−2²³, 2²³]; +2²³ itself is kept, as there. Inputs must lie in ±2²⁴.
    """
    span = 2**STATE_BITS
    above = current > STATE_MAX + 1
    below = current <= -(STATE_MAX + 1)
    return current - span * above + span * below
