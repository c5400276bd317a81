"""Tables of 12-bit decays that stand for a distribution of λ: 2^b equally likely levels."""

from dataclasses import dataclass

import numpy as np

from stochi.errors import InputError
from stochi.hardware.distributions import DecayDistribution
from stochi.hardware.fixed_point import DECAY_UNITY, Integers
from stochi.hardware.noise import DECAY_STREAM, random_bytes

MAX_TABLE_BITS = 8
_FINE_LEVELS = 2**12


@dataclass(frozen=True)
class TableError:
    """How far a table is from the distribution that it stands for, in λ.

    Attributes:
        mean: the table's mean, less the distribution's.
        spread: the same of their standard deviations.
        largest: the largest distance between two quantiles of the same share, of 4,096.
    """

    mean: float
    spread: float
    largest: float


def decay_table(distribution: DecayDistribution, bits: int) -> np.ndarray:
    """Equally likely levels of λ as 12-bit decays: level i is the quantile at ``(i + ½)/2^b``.

    Args:
        bits: b, the PRNG bits that choose a level, 1 to 8.

    Returns:
        (2^b,) int64, ascending, each in [0, 4096].

    Raises:
        InputError: bits out of range.
    """
    check_bits(bits)
    levels = 2**bits
    return quantize_decay(
        np.array([distribution.quantile((i + 0.5) / levels) for i in range(levels)])
    )


def table_error(table: np.ndarray, distribution: DecayDistribution) -> TableError:
    """Compare a table with its distribution, quantile by quantile."""
    shares = (np.arange(_FINE_LEVELS) + 0.5) / _FINE_LEVELS
    exact = np.array([distribution.quantile(share) for share in shares])
    levels = table[(shares * len(table)).astype(np.int64)] / DECAY_UNITY
    return TableError(
        mean=float(levels.mean() - exact.mean()),
        spread=float(levels.std() - exact.std()),
        largest=float(np.abs(levels - exact).max()),
    )


def quantize_decay(keep: np.ndarray | float) -> np.ndarray:
    """λ in [0, 1] → the nearest ``round(4096·λ)``, int64 in [0, 4096]."""
    return np.asarray(np.rint(np.asarray(keep, dtype=np.float64) * DECAY_UNITY), dtype=np.int64)


def check_bits(bits: int) -> None:
    """Raise InputError unless a decay table can have so many bits."""
    whole = isinstance(bits, int | np.integer) and not isinstance(bits, bool)
    if not whole or not 1 <= bits <= MAX_TABLE_BITS:
        raise InputError(
            f"bits is {bits!r}; a decay table has a whole number of bits, 1 to {MAX_TABLE_BITS}"
        )


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
    source: str = "philox",
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
        source=source,
    )
    return look_up(table, drawn)


def look_up(table: Integers, drawn: Integers) -> Integers:
    """The table's decays for drawn bytes in [0, 255]: the leading b bits are the index."""
    return table[drawn * len(table) >> 8]
