"""The chip's randomness, with the same bits everywhere.

A draw is a pure function of (seed, trial, sample, layer, neuron, step, stream) and has no state.
Numpy, torch on CPU, torch on CUDA and the Lava processes compute the same bits in any order, any
batch and any shard.

The bits come from a counter-based generator or from shift registers, which are closer to a chip's
own generator (:mod:`stochi.hardware.lfsr`). Shift registers start from words of the counter-based
generator. One register serves all neurons of a layer in turn, so its draws depend on the number of
neurons.

The counter-based generator is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random
numbers: as easy as 1, 2, 3", SC 2011), which passes TestU01's BigCrush and is the generator of
cuRAND. The seven coordinates fill its 128-bit counter and 64-bit key without overlap, so no two
draws share a block. The code uses operators common to numpy and torch; int64 products wrap modulo
2⁶⁴ and thus keep the 64 bits that Philox splits.
"""

from functools import cache

import numpy as np

from stochi.hardware import lfsr
from stochi.hardware.draws import LayerDraws, check_coordinates, check_source
from stochi.hardware.fixed_point import Integers
from stochi.hardware.jitable import library_of, register_jitable

DRAWS_PER_BLOCK = 16
"""Draws per Philox block: its 128 bits are one byte for each of 16 neighbouring neurons."""

DECAY_STREAM = 0
"""The stream from which random-τ neurons draw their table index."""
HIGH_STREAM, LOW_STREAM = 1, 2
"""The streams of the two bytes from which the stock generator computes its r."""
UNIFORM_MAX = 127
"""The largest r of the stock generator; the smallest is −127, from exponent 7 on −128."""

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_WORD = 0xFFFFFFFF


@register_jitable(inline="always")
def philox4x32(
    counter: tuple[Integers, Integers, Integers, Integers], key: tuple[int, int]
) -> tuple[Integers, Integers, Integers, Integers]:
    """Compute Philox4x32-10.

    The ten rounds are written out because compilers then compute many blocks in one vector.

    Args:
        counter: four words, uint32 values as int64: arrays of one shape, or integers.
        key: two uint32 values.

    Returns:
        Four words, again uint32 values as int64.
    """
    words = (counter[0] & _WORD, counter[1] & _WORD, counter[2] & _WORD, counter[3] & _WORD)
    words = _round(words, key[0], key[1])
    words = _round(words, key[0] + _WEYL[0], key[1] + _WEYL[1])
    words = _round(words, key[0] + 2 * _WEYL[0], key[1] + 2 * _WEYL[1])
    words = _round(words, key[0] + 3 * _WEYL[0], key[1] + 3 * _WEYL[1])
    words = _round(words, key[0] + 4 * _WEYL[0], key[1] + 4 * _WEYL[1])
    words = _round(words, key[0] + 5 * _WEYL[0], key[1] + 5 * _WEYL[1])
    words = _round(words, key[0] + 6 * _WEYL[0], key[1] + 6 * _WEYL[1])
    words = _round(words, key[0] + 7 * _WEYL[0], key[1] + 7 * _WEYL[1])
    words = _round(words, key[0] + 8 * _WEYL[0], key[1] + 8 * _WEYL[1])
    return _round(words, key[0] + 9 * _WEYL[0], key[1] + 9 * _WEYL[1])


@register_jitable
def _round(
    words: tuple[Integers, Integers, Integers, Integers], key0: int, key1: int
) -> tuple[Integers, Integers, Integers, Integers]:
    product0, product1 = words[0] * _MULTIPLIERS[0], words[2] * _MULTIPLIERS[1]
    return (
        (product1 >> 32 & _WORD) ^ words[1] ^ (key0 & _WORD),
        product1 & _WORD,
        (product0 >> 32 & _WORD) ^ words[3] ^ (key1 & _WORD),
        product0 & _WORD,
    )


def random_bytes(
    samples: Integers, neurons: Integers, draws: LayerDraws, stream: int = DECAY_STREAM
) -> Integers:
    """Draw one uniform byte for every (sample, neuron), as int64 in [0, 255].

    Args:
        samples: (batch,) int64, each sample's index in the whole run, in [0, 2³²).
        neurons: (n,) int64, ``arange(n)`` on the desired device; neuron i is the i-th in
            C order of its layer's shape. The source "lfsr" serves a layer's neurons in turn: n
            must then be the number of all neurons of the layer.
        draws: seed, trial, layer, step and source of the draws.
        stream: in [0, 2¹⁶).

    Returns:
        (batch, n) int64, of the arguments' kind (numpy or torch, device).

    Raises:
        InputError: a coordinate is out of range, or the source is unknown.
    """
    check_source(draws.source)
    count = len(neurons)
    if draws.source == "lfsr":
        return lfsr.next_bytes(registers_at(samples, count, draws, stream), count)
    _check(draws, stream)
    return block_bytes(samples, neurons, draws, stream)


def block_bytes(
    samples: Integers, neurons: Integers, draws: LayerDraws, stream: int = DECAY_STREAM
) -> Integers:
    """Return the counter-based generator's bytes; see :func:`random_bytes`.

    Nothing is checked, and seed, trial and step may be of the samples' kind.
    """
    count = len(neurons)
    block = neurons[: -(-count // DRAWS_PER_BLOCK)][None, :]
    zero = samples[:, None] * 0 + block * 0
    words = philox4x32(
        (
            zero + block,
            zero + draws.step,
            zero + samples[:, None],
            zero + (draws.layer << 16 | stream),
        ),
        (draws.seed, draws.trial),
    )
    drawn = library_of(zero).stack(
        [(word >> 8 * byte) & 0xFF for word in words for byte in range(4)], -1
    )
    return drawn.reshape(-1, DRAWS_PER_BLOCK * block.shape[1])[:, :count]


def registers_at(samples: Integers, count: int, draws: LayerDraws, stream: int) -> Integers:
    """Return the samples' shift registers at the start of a time step.

    Neuron i of ``count`` reads byte ``step·count + i`` of its sample's register. Arguments and
    errors are those of :func:`random_bytes`.

    Returns:
        (batch,) int64.
    """
    _check(draws, stream)
    starts = first_register((draws.seed, draws.trial), samples, draws.layer, stream)
    return lfsr.jump(starts, 8 * draws.step * count)


def _check(draws: LayerDraws, stream: int) -> None:
    check_coordinates(
        seed=draws.seed, trial=draws.trial, layer=draws.layer, step=draws.step, stream=stream
    )


@register_jitable
def first_register(key: tuple[int, int], sample: Integers, layer: int, stream: int) -> Integers:
    """Return the value from which a shift register starts, in [1, 2³²).

    It is Philox's first word of a block that no neuron uses. There is one shift register for each
    (seed, trial, sample, layer, stream).
    """
    zero = sample * 0
    word = philox4x32((zero + _WORD, zero, sample, zero + (layer << 16 | stream)), key)[0]
    return word + (word == 0)  # a register of 0 would stay 0


@register_jitable
def generator_value(high: Integers, low: Integers, mantissa: int, exponent: int) -> Integers:
    """Return the noise of Loihi's stock generator, ``(r + 64·mantissa)·2^(exponent − 7)``.

    An exponent below 7 acts like the next larger one, and its fractions are rounded down, by an
    arithmetic shift. r is uniform in [−127, 127] there: of the two bytes' 65,536 codes, one of its
    255 values has 258 and each other value has 257. From exponent 7 on r is uniform in
    [−128, 127], the high byte less 128.

    Known from public sources: the formula and the acting exponent (nengo-loihi 1.1,
    ``emulator/interface.py`` and ``hardware/builder.py``), and the spread, largest less smallest
    value, for exponents from 0 to 15: 3, 7, 15, 31, 63, 127, 254, 255, 510, and so on doubling
    (intel-nrc-ecosystem/models, ``csp_solver_src.py``). Assumed: that small exponents round down
    (truncation toward zero gives 2, 6, 14, …; the negative means that nengo-loihi's tests allow for
    agree), that the code beyond 255 is −128 and not +128, and that all values are equally likely.

    Args:
        high, low: uniform bytes, integers in [0, 255].
        mantissa, exponent: settings of a whole core; the exponent is in [0, 23].
    """
    more = 1 * (exponent >= 7)
    uniform = ((high << 8 | low) * (2 * UNIFORM_MAX + 1 + more) >> 16) - UNIFORM_MAX - more
    value = uniform + 64 * mantissa
    places = exponent + 1 - more - 7
    return value << places if places >= 0 else value >> -places


def generator_range(mantissa: int, exponent: int) -> tuple[int, int]:
    """Return the smallest and the largest of :func:`generator_value`."""
    smallest = generator_value(0, 0, mantissa, exponent)
    return smallest, generator_value(255, 255, mantissa, exponent)


def largest_generator_value(mantissa: int, exponent: int) -> int:
    """Return the largest magnitude of :func:`generator_value`."""
    return max(map(abs, generator_range(mantissa, exponent)))


def generator_mean(mantissa: int, exponent: int) -> float:
    """Return the mean of :func:`generator_value`, exactly, in units of the membrane."""
    codes = np.arange(2**16)
    return float(generator_value(codes >> 8, codes & 0xFF, mantissa, exponent).mean())


@cache
def generator_std(mantissa: int, exponent: int) -> float:
    """Return the standard deviation of :func:`generator_value`, exactly, in membrane units."""
    codes = np.arange(2**16)
    return float(generator_value(codes >> 8, codes & 0xFF, mantissa, exponent).std())


def draw_generator(
    samples: Integers, neurons: Integers, draws: LayerDraws, mantissa: int, exponent: int
) -> Integers:
    """Draw the stock generator's value for every (sample, neuron).

    Args:
        samples, neurons, draws: as for :func:`random_bytes`.
        mantissa, exponent: as for :func:`generator_value`.

    Returns:
        (batch, n) int64, in the units of membranes.
    """
    high, low = (
        random_bytes(samples, neurons, draws, stream) for stream in (HIGH_STREAM, LOW_STREAM)
    )
    return generator_value(high, low, mantissa, exponent)
