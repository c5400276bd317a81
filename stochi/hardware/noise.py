"""The chip's randomness: the same bits everywhere.

A draw is a pure function of (seed, trial, sample, layer, neuron, step, stream). There is no
state: numpy, torch on CPU, torch on CUDA and the Lava processes compute the same bits in any
order, any batch, any shard.

The source of the bits is a counter-based generator, or shift registers, which are more like a
chip's own (:mod:`stochi.hardware.lfsr`). Those start from words of the first, and since one serves
all of a layer's neurons in turn, their draws depend on how many these are.

The counter-based generator is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random
numbers: as easy as 1, 2, 3", SC 2011), which passes TestU01's BigCrush and is the generator of
cuRAND. The seven coordinates fill its 128-bit counter and 64-bit key without overlap, so no two
draws share a block. The lines below use operators that numpy and torch share; products wrap modulo
2⁶⁴ in int64, which leaves the 64 bits that Philox splits.
"""

import numpy as np
import torch
from numba.extending import register_jitable

from stochi.errors import InputError
from stochi.hardware import lfsr
from stochi.hardware.fixed_point import Integers

RANDOM_SOURCES = ("philox", "lfsr")
"""Where random bits come from: Philox by default."""

DRAWS_PER_BLOCK = 16
"""One Philox block is 128 bits: a byte for each of 16 neighbouring neurons."""

DECAY_STREAM = 0
"""The stream from which random-τ neurons draw their table index."""
HIGH_STREAM, LOW_STREAM = 1, 2
"""The streams of the two bytes from which the stock generator makes its r."""
UNIFORM_MAX = 127
"""The stock generator's r is uniform in ±127."""

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_WORD = 0xFFFFFFFF

_LIMITS = {"seed": 2**32, "trial": 2**32, "layer": 2**16, "step": 2**32, "stream": 2**16}


@register_jitable(inline="always")
def philox4x32(
    counter: tuple[Integers, Integers, Integers, Integers], key: tuple[int, int]
) -> tuple[Integers, Integers, Integers, Integers]:
    """Philox4x32-10. Counter words hold uint32 values as int64: arrays of one shape, or integers.

    Returns four words, again uint32 values as int64. The ten rounds are written out because
    compilers then compute many blocks in one vector.
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
    samples: Integers,
    neurons: Integers,
    *,
    seed: int,
    trial: int,
    layer: int,
    step: int,
    stream: int = DECAY_STREAM,
    source: str = "philox",
) -> Integers:
    """One uniform byte for every (sample, neuron), as int64 in [0, 255].

    Args:
        samples: (batch,) int64, each sample's index in the whole run, in [0, 2³²).
        neurons: (n,) int64, ``arange(n)`` on the wanted device; neuron i is the i-th in
            C order of its layer's shape.
        seed, trial: in [0, 2³²); layer, stream: in [0, 2¹⁶); step: the layer's own step.
        source: "philox", or "lfsr", which serves a layer's neurons in turn: n must then be all of
            the layer's.

    Returns:
        (batch, n) int64 of the kind (numpy or torch, device) of the arguments.

    Raises:
        InputError: a coordinate is out of range, or there is no such source.
    """
    check_source(source)
    count = len(neurons)
    if source == "lfsr":
        registers = registers_at(
            samples, count, seed=seed, trial=trial, layer=layer, step=step, stream=stream
        )
        return lfsr.next_bytes(registers, count)
    check_coordinates(seed=seed, trial=trial, layer=layer, step=step, stream=stream)
    block = neurons[: -(-count // DRAWS_PER_BLOCK)][None, :]
    zero = samples[:, None] * 0 + block * 0
    words = philox4x32(
        (zero + block, zero + step, zero + samples[:, None], zero + (layer << 16 | stream)),
        (seed, trial),
    )
    stack = torch.stack if isinstance(zero, torch.Tensor) else np.stack
    drawn = stack([(word >> 8 * byte) & 0xFF for word in words for byte in range(4)], -1)
    return drawn.reshape(len(samples), -1)[:, :count]


def registers_at(
    samples: Integers, count: int, *, seed: int, trial: int, layer: int, step: int, stream: int
) -> Integers:
    """The samples' shift registers at a step: neuron i of ``count`` reads byte ``step·count + i``.

    Returns:
        (batch,) int64; coordinates and errors as for :func:`random_bytes`.
    """
    check_coordinates(seed=seed, trial=trial, layer=layer, step=step, stream=stream)
    starts = first_register((seed, trial), samples, layer, stream)
    return lfsr.jump(starts, 8 * step * count)


@register_jitable
def first_register(key: tuple[int, int], sample: Integers, layer: int, stream: int) -> Integers:
    """The value from which a shift register starts, in [1, 2³²): Philox's first word of a block
    that no neuron has. Shift registers have one for each (seed, trial, sample, layer, stream)."""
    zero = sample * 0
    word = philox4x32((zero + _WORD, zero, sample, zero + (layer << 16 | stream)), key)[0]
    return word + (word == 0)  # the register 0 would stay 0


@register_jitable
def generator_value(high: Integers, low: Integers, mantissa: int, exponent: int) -> Integers:
    """What Loihi's stock generator adds: ``(r + 64·mantissa)·2^(exponent − 7)``, toward zero.

    ``r = ⌊255·(2⁸·high + low) / 2¹⁶⌋ − 127`` is uniform in [−127, 127]: one of its 255 values has
    258 of the two bytes' codes, the others have 257. An exponent under 7 acts as one more. Formula
    and quirk as nengo-loihi 1.1 knows them of the chip (``emulator/interface.py``,
    ``hardware/builder.py``).

    Args:
        high, low: uniform bytes, integers in [0, 255].
        mantissa, exponent: of a whole core; exponent in [0, 23].
    """
    uniform = ((high << 8 | low) * (2 * UNIFORM_MAX + 1) >> 16) - UNIFORM_MAX
    value = uniform + 64 * mantissa
    places = exponent + (exponent < 7) - 7
    if places >= 0:
        return value << places
    sign = value >> 63  # 0 or −1
    return ((((value ^ sign) - sign) >> -places) ^ sign) - sign


def largest_generator_value(mantissa: int, exponent: int) -> int:
    """A bound on the size of :func:`generator_value`."""
    return (UNIFORM_MAX + 64 * abs(mantissa)) << max(exponent + (exponent < 7) - 7, 0)


def draw_generator(
    samples: Integers,
    neurons: Integers,
    *,
    seed: int,
    trial: int,
    layer: int,
    step: int,
    mantissa: int,
    exponent: int,
    source: str = "philox",
) -> Integers:
    """The stock generator's values for every (sample, neuron), (batch, n) int64, in the units of
    membranes. Coordinates as in :func:`random_bytes`, the rest as in :func:`generator_value`."""
    high, low = (
        random_bytes(
            samples,
            neurons,
            seed=seed,
            trial=trial,
            layer=layer,
            step=step,
            stream=stream,
            source=source,
        )
        for stream in (HIGH_STREAM, LOW_STREAM)
    )
    return generator_value(high, low, mantissa, exponent)


def check_coordinates(**coordinates: int) -> None:
    """Raise InputError where a seed, trial, layer, step or stream is out of its range."""
    for name, value in coordinates.items():
        limit = _LIMITS[name]
        if isinstance(value, bool) or not hasattr(value, "__index__") or not 0 <= value < limit:
            raise InputError(f"{name} is {value}; it must be a whole number from 0 to {limit - 1}")


def check_source(source: str) -> None:
    """Raise InputError unless random bits can come from there."""
    if source not in RANDOM_SOURCES:
        raise InputError(f"random_source is {source!r}; choose from {', '.join(RANDOM_SOURCES)}")
