"""A 32-bit shift register with linear feedback, a random generator of the kind found on chips.

Bits follow ``b[n+32] = b[n+22] ⊕ b[n+2] ⊕ b[n+1] ⊕ b[n]`` (a Fibonacci register with the polynomial
x³² + x²² + x² + x + 1, taps 32, 22, 2, 1 of Xilinx's XAPP052). The polynomial is primitive: a
register runs through all 2³² − 1 values except 0 before it repeats. Bit i of a register is
``b[n+i]``. Each draw takes the low byte and advances the register by 8 bits, so every bit is used
once. Since 8 and the period have no common factor, the bytes repeat after 2³² − 1 of them.

Registers are uint32 values stored as int64. The code uses operators common to numpy, torch and
integers in a compiled loop.
"""

from stochi.hardware.fixed_point import Integers
from stochi.hardware.jitable import library_of, register_jitable

WIDTH = 32
POLYNOMIAL = 1 << 32 | 1 << 22 | 1 << 2 | 1 << 1 | 1
_FRESH = 10
"""Number of new bits before one depends on another new one: 32 less the highest tap below."""


@register_jitable
def advance(registers: Integers, bits: int) -> Integers:
    """Return the registers after 1 to 10 more bits; larger numbers need several calls."""
    fed = (registers ^ registers >> 1 ^ registers >> 2 ^ registers >> 22) & (1 << bits) - 1
    return registers >> bits | fed << WIDTH - bits


def jump(registers: Integers, bits: int) -> Integers:
    """Return the registers after any number of bits, in the time of 32 single steps.

    A register after p bits is the sum, without carry, of the registers after i bits, over the terms
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
    """Return ``x^exponent`` modulo the polynomial, over the field of two elements.

    Args:
        exponent: at least 0.

    Returns:
        An integer whose bit i is the coefficient of xⁱ.
    """
    power = 1
    for bit in bin(exponent)[2:]:
        power = _multiply(power, power)
        if bit == "1":
            power = _multiply(power, 2)
    return power


def next_bytes(registers: Integers, count: int) -> Integers:
    """Return the next bytes of each register.

    Args:
        registers: (batch,) int64.
        count: number of bytes, at least 1.

    Returns:
        (batch, count) int64 in [0, 255], of the argument's kind (numpy or torch, device).
    """
    first = []
    for _ in range(min(count, WIDTH)):
        first.append(registers & 0xFF)
        registers = advance(registers, 8)
    library = library_of(registers)
    drawn = library.stack(first, 1)
    # The recurrence also holds for bits 8 apart, so for bytes, and for bytes 2^k apart, because
    # P(x)² = P(x²) over the two-element field.
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
