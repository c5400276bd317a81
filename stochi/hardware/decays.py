"""Tables of 12-bit decays that stand for a distribution of λ: 2^b equally likely levels."""

import math
from statistics import NormalDist

import numpy as np

from stochi.errors import InputError
from stochi.hardware.fixed_point import DECAY_UNITY, Integers
from stochi.hardware.noise import DECAY_STREAM, random_bytes

MAX_TABLE_BITS = 8


def logit_normal_table(sigma: float, bits: int) -> np.ndarray:
    """Levels of ``λ = sigmoid(σ·ε)``, ε ~ N(0, 1), as 12-bit decays.

    Level i is the quantile at ``(i + ½)/2^b``, times 4096, rounded. The table is symmetric
    around 2048, so its mean is that of λ, ½.

    Args:
        sigma: spread of the logit, finite and ≥ 0.
        bits: b, the PRNG bits that choose a level, 1 to 8.

    Returns:
        (2^b,) int64, ascending, each in [0, 4096].

    Raises:
        InputError: sigma or bits out of range.
    """
    check_sigma(sigma)
    check_bits(bits)
    levels = 2**bits
    quantiles = [NormalDist().inv_cdf((i + 0.5) / levels) for i in range(levels)]
    keep = [DECAY_UNITY / (1 + math.exp(-sigma * q)) for q in quantiles]
    return np.rint(np.array(keep)).astype(np.int64)


def quantize_decay(keep: np.ndarray | float) -> np.ndarray:
    """λ in [0, 1] → the nearest ``round(4096·λ)``, int64 in [0, 4096]."""
    return np.asarray(np.rint(np.asarray(keep, dtype=np.float64) * DECAY_UNITY), dtype=np.int64)


def check_bits(bits: int) -> None:
    """Raise InputError unless a decay table can have so many bits."""
    if bits not in range(1, MAX_TABLE_BITS + 1):
        raise InputError(f"bits is {bits}; a decay table has 1 to {MAX_TABLE_BITS} bits")


def check_sigma(sigma: float) -> None:
    """Raise InputError unless σ is a finite number ≥ 0."""
    if not math.isfinite(sigma) or sigma < 0:
        raise InputError(f"sigma is {sigma}; it must be a finite number of at least 0")


def draw_decays(
    table: Integers,
    samples: Integers,
    neurons: Integers,
    *,
    seed: int,
    trial: int,
    layer: int,
    step: int,
    redraw: bool,
) -> Integers:
    """Each (sample, neuron)'s decay for a step, (batch, n): :func:`look_up` of a random byte.

    ``redraw`` draws at every step, else the draw of step 0 lasts. The rest is as in
    :func:`stochi.hardware.noise.random_bytes`.
    """
    drawn = random_bytes(
        samples,
        neurons,
        seed=seed,
        trial=trial,
        layer=layer,
        step=step if redraw else 0,
        stream=DECAY_STREAM,
    )
    return look_up(table, drawn)


def look_up(table: Integers, drawn: Integers) -> Integers:
    """The table's decays for drawn bytes in [0, 255]: the leading b bits are the index."""
    return table[drawn * len(table) >> 8]
