"""Sizes of integer sums and of their windows, which need no library that computes them."""

from collections.abc import Sequence

from stochi.hardware.fixed_point import Integers

FLOAT32_SUM_LIMIT = 2**24
"""Largest integer up to which float32 holds them all."""


def partial_sum_bound(weight: Integers) -> float:
    """Return a bound on the partial sums of integer weights times inputs of at most 1.

    Inputs are never negative, so every partial sum lies between the sum of the negative and the sum
    of the positive weights. The bound is in units of the smallest difference that floats must
    resolve: sums of even weights are even, so their unit is 2.

    Args:
        weight: (outputs, …) integers.
    """
    if 0 in weight.shape:
        return 0.0
    rows = weight.reshape(len(weight), -1)
    largest = rows.clip(min=0).sum(1).max()
    bound = max(int(largest), -int(rows.clip(max=0).sum(1).min()))
    return bound / (1 if bool((weight & 1).any()) else 2)


def windows(
    sizes: Sequence[int],
    kernel: Sequence[int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> tuple[int, int]:
    """Return the number of windows of a convolution or pooling, (height, width)."""
    height, width = (
        (size + 2 * pad - spread * (side - 1) - 1) // hop + 1
        for size, pad, spread, side, hop in zip(
            sizes, padding, dilation, kernel, stride, strict=True
        )
    )
    return height, width
