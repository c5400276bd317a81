"""A shift register of 32 bits with linear feedback, as chips have it for a generator.

Bits follow ``b[n+32] = b[n+22] ⊕ b[n+2] ⊕ b[n+1] ⊕ b[n]`` (a Fibonacci register with the polynomial
x³² + x²² + x² + x + 1, taps 32, 22, 2, 1 of Xilinx's XAPP052). It is primitive: a register
runs through all 2³² − 1 values but 0 before it repeats. Bit i of a register is ``b[n+i]``; its low
byte is drawn, and the register moves on by 8 bits, so that every bit is used once; 8 and the period
have no common factor, so bytes repeat after 2³² − 1 of them.

Registers are uint32 values as int64. The lines use operators that numpy, torch and integers in a
compiled loop share.
"""

from typing import Any

import numpy as np
import torch
from numba.extending import register_jitable

from stochi.hardware.fixed_point import Integers

WIDTH = 32
POLYNOMIAL = 1 << 32 | 1 << 22 | 1 << 2 | 1 << 1 | 1
_FRESH = 10
"""From the highest tap below 32 so many new bits follow before one depends on a new one."""


@register_jitable
def advance(registers: Integers, bits: int) -> Integers:
    """Registers so many bits later, 1 to 10: more need more calls."""
    fed = (registers ^ registers >> 1 ^ registers >> 2 ^ registers >> 22) & (1 << bits) - 1
    return registers >> bits | fed << WIDTH - bits


def jump(registers: Integers, bits: int) -> Integers:
    """Registers any number of bits later, in the time that 32 take one by one.

    A register's bits p later are the sum, without carry, of those that are i later, over the terms
    xⁱ of x^p modulo the polynomial.
    """
    terms = power_of_x(bits)
    later = registers * 0
    for place in range(WIDTH):
        if terms >> place & 1:
            later = later ^ registers
        registers = advance(registers, 1)
    return later


def power_of_x(exponent: int) -> int:
    """``x^exponent`` modulo the polynomial, over the field of two elements: bit i is the term xⁱ.

    ``exponent`` is not negative.
    """
    power = 1
    for bit in bin(exponent)[2:]:
        power = _multiply(power, power)
        if bit == "1":
            power = _multiply(power, 2)
    return power


def next_bytes(registers: Integers, count: int) -> Integers:
    """The next bytes of each register.

    Args:
        registers: (batch,).
        count: at least 1.

    Returns:
        (batch, count) int64 in [0, 255], of the kind (numpy or torch, device) of the argument.
    """
    first = []
    for _ in range(min(count, WIDTH)):
        first.append(registers & 0xFF)
        registers = advance(registers, 8)
    library: Any = torch if isinstance(registers, torch.Tensor) else np
    drawn = library.stack(first, 1)
    # The recurrence holds for bits 8 apart, so for bytes, and for bytes 2^k apart: over the
    # two-element field P(x)² = P(x²).
    while drawn.shape[1] < count:
        known = drawn.shape[1]
        apart = 1 << (known // WIDTH).bit_length() - 1
        start, more = known - WIDTH * apart, _FRESH * apart
        new = drawn[:, start : start + more]
        for tap in (1, 2, 22):
            new = new ^ drawn[:, start + tap * apart :][:, :more]
        drawn = library.concatenate([drawn, new], 1)
    return drawn[:, :count]


def _multiply(left: int, right: int) -> int:
    product = 0
    for place in range(WIDTH):
        if right >> place & 1:
            product ^= left
        left <<= 1
        if left >> WIDTH:
            left ^= POLYNOMIAL
    return product
