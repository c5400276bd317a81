"""Loihi's integer arithmetic: widths, decays, shifts and saturation, defined only here.

The functions use operators common to numpy arrays, torch tensors and integers in a compiled loop,
so training, the engine and the Lava processes run the same lines. No intermediate value needs more
than 32 bits: a 24-bit state is multiplied by a 12-bit decay in two halves.

The rules are those of lava-nc 0.10.0's bit-accurate LIF model
(``lava/proc/lif/models.py``, ``AbstractPyLifModelFixed``).
"""

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from stochi.hardware.jitable import overload, register_jitable

if TYPE_CHECKING:
    import torch

Integers = TypeVar("Integers", np.ndarray, "torch.Tensor")

STATE_BITS = 24
STATE_MAX = 2 ** (STATE_BITS - 1) - 1
DECAY_BITS = 12
DECAY_UNITY = 2**DECAY_BITS
ALIGN_SHIFT = 6
"""Left shift that aligns synaptic input and threshold mantissas with the states."""
THRESHOLD_MANTISSA_MAX = 2**17 - 1
BIAS_MANTISSA_MIN, BIAS_MANTISSA_MAX = -(2**12), 2**12 - 1
BIAS_EXPONENT_MAX = 7
WEIGHT_EXPONENT_MIN, WEIGHT_EXPONENT_MAX = -8, 7
WEIGHT_MAGNITUDE_MAX = 255
"""Largest magnitude of weights of one sign; if signs mix, weights are even, from −256 to 254."""
WEIGHT_MIXED_MIN, WEIGHT_MIXED_MAX = -256, 254
CURRENT_KEEP_MAX = DECAY_UNITY - 1
"""Largest ``4095 − du``: Loihi adds 1 to a current's decay, so no current lasts forever."""
REFRACTORY_MAX = 63
"""Longest refractory period in time steps.

RefractDelay has 6 bits in Loihi's compartment profile (CxProfileCfg of its SDK).
"""
GRADED_INPUT_MAX = 255
NOISE_EXPONENT_MAX = 23
NOISE_MANTISSA_MIN, NOISE_MANTISSA_MAX = -(2**3), 2**3 - 1
"""Range of the stock generator's offset; no public source gives its width, 4 bits are assumed."""


def narrow(value: Integers) -> Integers:
    """Return the value, narrowed to 32 bits in a compiled loop.

    There numba widens all arithmetic to 64 bits; 32 bits hold every value, and twice as many
    neurons fit in a vector register.
    """
    return value


@overload(narrow)
def _narrow(value):  # type: ignore[no-untyped-def]
    from numba import types

    if isinstance(value, types.Integer | types.Boolean):
        return lambda value: np.int32(value)
    return None


@register_jitable
def scale_by_decay(state: Integers, keep: Integers | int) -> Integers:
    """Return ``trunc(state · keep / 2¹²)``, toward zero: Loihi's decay, with ``keep = 4096 − d``.

    Args:
        state: in ±2³⁰.
        keep: in [0, 4096].
    """
    sign = narrow(state >> 31)  # 0 or −1
    magnitude = narrow((state ^ sign) - sign)
    high, low = narrow(magnitude >> DECAY_BITS), narrow(magnitude & (DECAY_UNITY - 1))
    scaled = narrow(narrow(high * keep) + narrow(narrow(low * keep) >> DECAY_BITS))
    return narrow((scaled ^ sign) - sign)


@register_jitable
def shift(value: Integers, exponent: int) -> Integers:
    """Return ``value · 2^exponent``; a negative exponent rounds down, as in Lava."""
    return value << exponent if exponent >= 0 else value >> -exponent


@register_jitable
def saturate(state: Integers) -> Integers:
    """Clip a membrane to the symmetric 24-bit range ±(2²³ − 1)."""
    above = narrow(narrow(state - STATE_MAX) * (state > STATE_MAX))
    below = narrow(narrow(state + STATE_MAX) * (state < -STATE_MAX))
    return narrow(state - above - below)


@register_jitable
def wrap(current: Integers) -> Integers:
    """Wrap a synaptic current once around 24 bits, as Lava's bit-accurate LIF does.

    Inputs must lie in ±2²⁴. Results lie in (−2²³, 2²³]; +2²³ itself is kept, as in Lava.
    """
    above = narrow(2**STATE_BITS * (current > STATE_MAX + 1))
    below = narrow(2**STATE_BITS * (current <= -(STATE_MAX + 1)))
    return narrow(current - above + below)
