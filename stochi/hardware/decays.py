"""Tables of 12-bit decays that represent a distribution of λ by 2^b equally likely levels."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stochi.errors import InputError
from stochi.hardware.draws import LayerDraws
from stochi.hardware.fixed_point import DECAY_UNITY, Integers
from stochi.hardware.noise import DECAY_STREAM, random_bytes
from stochi.plain_text import shorten_repr

if TYPE_CHECKING:
    from stochi.hardware.distributions import DecayDistribution

MAX_TABLE_BITS = 8
_FINE_LEVELS = 2**12


@dataclass(frozen=True)
class TableError:
    """Differences in λ between a table and the distribution that it represents.

    Attributes:
        mean: the table's mean less the distribution's.
        spread: the table's standard deviation less the distribution's.
        largest: the largest distance between quantiles of the same share, among 4,096 shares.
    """

    mean: float
    spread: float
    largest: float


def decay_table(distribution: "DecayDistribution", bits: int) -> np.ndarray:
    """Return equally likely levels of λ as 12-bit decays: level i is the quantile at (i + ½)/2^b.

    Args:
        distribution: the distribution of λ.
        bits: b, the number of random bits that choose a level, 1 to 8.

    Returns:
        (2^b,) int64, ascending, each in [0, 4096].

    Raises:
        InputError: ``bits`` is out of range.
    """
    check_bits(bits)
    levels = 2**bits
    return quantize_decay(
        np.array([distribution.quantile((i + 0.5) / levels) for i in range(levels)])
    )


def table_error(table: np.ndarray, distribution: "DecayDistribution") -> TableError:
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
    """Round λ in [0, 1] to 12 bits: ``round(4096·λ)``, int64 in [0, 4096]."""
    return np.asarray(np.rint(np.asarray(keep, dtype=np.float64) * DECAY_UNITY), dtype=np.int64)


def check_bits(bits: int) -> None:
    """Raise InputError unless a decay table can have this number of bits."""
    whole = isinstance(bits, int | np.integer) and not isinstance(bits, bool)
    if not whole or not 1 <= bits <= MAX_TABLE_BITS:
        raise InputError(
            f"bits is {shorten_repr(bits)}; a decay table has a whole number of bits, 1 to"
            f" {MAX_TABLE_BITS}"
        )


def draw_decays(
    table: Integers, samples: Integers, neurons: Integers, draws: LayerDraws, redraw: bool
) -> Integers:
    """Draw a decay for every (sample, neuron) in a time step.

    Args:
        table: (2^b,) decays, as from :func:`decay_table`.
        samples, neurons, draws: as for :func:`stochi.hardware.noise.random_bytes`.
        redraw: whether to draw at every time step; if not, the draw of step 0 lasts.

    Returns:
        (batch, n), :func:`look_up` of a random byte for each.
    """
    drawn_at = draws if redraw else draws._replace(step=0)
    return look_up(table, random_bytes(samples, neurons, drawn_at, DECAY_STREAM))


def look_up(table: Integers, drawn: Integers) -> Integers:
    """Return the table's decays for drawn bytes in [0, 255]; the leading b bits are the index."""
    return table[drawn * len(table) >> 8]
