"""Two one-sided tests, which show that a difference is small, not merely that none was found.

The images are the sample. Each comparison is reduced to one value per image, averaged over the
image's trials; the mean of these values is the difference. An interval over the images then
includes the noise of the trials, and never counts the trials of one image as more images.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from stochi.arguments import check_arguments
from stochi.errors import InputError

LEVEL = 0.05
"""Significance level of each of the two tests; the interval is therefore one of 90 %."""


@dataclass(frozen=True)
class Equivalence:
    """A difference, its 90 % interval, and whether it lies within ±margin.

    Attributes:
        difference, low, high: the difference and its interval. All are None if the difference is
            not finite; low and high also if the sample has fewer than two values.
        margin: the largest difference that does not matter.
        p_value: p-value of the null hypothesis that the difference is at least the margin.
        verdict: "equivalent" if the whole interval lies within the margin, "different" if no part
            of it does, otherwise "undecided".
    """

    difference: float | None
    low: float | None
    high: float | None
    margin: float
    p_value: float
    verdict: str


def two_one_sided_tests(values: np.ndarray, margin: float, shares: bool = False) -> Equivalence:
    """Run Schuirmann's two one-sided tests (J. Pharmacokinet. Biopharm., 1987) at 5 % each.

    They are Student's t-tests of the values' mean; the larger of the two p-values counts. Both are
    below 5 % exactly if the 90 % interval lies within the margin.

    Args:
        values: (n,) differences of n independent units, such as images or training seeds.
        margin: the largest difference that does not matter, above 0.
        shares: whether each value is a difference of shares, in [−1, 1]. If it is and no image
            differs at all, the interval is the bound ±x that n images give on rare differences,
            with 5 % = (1 − x)ⁿ.
    """
    check_arguments(two_one_sided_tests, locals())
    if values.ndim != 1 or values.dtype.kind not in "biuf" or margin < 0:
        raise InputError(
            f"values are {values.dtype} of shape {values.shape} and margin is {margin:g}; they must"
            " be real numbers, (n,), and a margin of at least 0"
        )
    n = len(values)
    mean = float(values.mean())
    if not math.isfinite(mean):
        return Equivalence(None, None, None, margin, 1.0, "different")
    if n < 2:
        return Equivalence(mean, None, None, margin, 1.0, "undecided")
    error = float(values.std(ddof=1)) / math.sqrt(n)
    half = float(stdtrit(n - 1, 1 - LEVEL)) * error
    if error > 0:
        p_value = float(stdtr(n - 1, (abs(mean) - margin) / error))
    elif shares and mean == 0:
        half = 1 - LEVEL ** (1 / n)
        p_value = max(0.0, 1 - margin) ** n
    else:
        p_value = float(abs(mean) >= margin)
    low, high = mean - half, mean + half
    return Equivalence(mean, low, high, margin, p_value, _verdict(low, high, margin))


def _verdict(low: float, high: float, margin: float) -> str:
    if -margin < low and high < margin:
        return "equivalent"
    return "different" if low >= margin or high <= -margin else "undecided"


def ratio(numerators: np.ndarray, denominators: np.ndarray) -> np.ndarray:
    """Return one value per image whose mean is the ratio of two means (the delta method).

    With R = ā / b̄, image i has the value R + (aᵢ − R·bᵢ) / b̄. The mean of these values is R, and
    their spread gives the standard error of R for large samples (Cochran, Sampling Techniques,
    chapter 6).

    Args:
        numerators, denominators: (images,), a and b.

    Returns:
        (images,); zeros if both means are 0, infinities if only that of the denominators is.
    """
    top, bottom = float(numerators.mean()), float(denominators.mean())
    if bottom == 0:
        return np.full(len(numerators), math.inf if top else 0.0)
    values: np.ndarray = top / bottom + (numerators - top / bottom * denominators) / bottom
    return values


def relative_difference(reference: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return one value per image whose mean is ``other / reference − 1`` of the means.

    The values are those of :func:`ratio`, less 1, or zeros if both are 0 on every image.
    """
    if not reference.any() and not other.any():
        return np.zeros(len(reference))
    return ratio(other, reference) - 1


def square_root(values: np.ndarray) -> np.ndarray:
    """Return one value per image whose mean is the square root of a mean ≥ 0 (the delta method)."""
    mean = float(values.mean())
    if mean == 0 or not math.isfinite(mean):
        return values
    roots: np.ndarray = math.sqrt(mean) + (values - mean) / (2 * math.sqrt(mean))
    return roots
