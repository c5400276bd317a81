"""Two one-sided tests: is a difference shown to be small, rather than merely not shown?

The images are the sample. Everything compared is brought into one value for each image, averaged
over its trials, whose mean is the difference; an interval over the images then holds the trials'
noise as well, and never takes the trials of one image for more images.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

LEVEL = 0.05
"""Of each of the two tests, so that the interval is one of 90 %."""


@dataclass(frozen=True)
class Equivalence:
    """A difference, its 90 % interval, and whether it lies within ±margin.

    Attributes:
        difference, low, high: None where there is none, or the sample is too small for an interval.
        p_value: of the null hypothesis that the difference is at least the margin.
        verdict: "equivalent" where the whole interval lies within the margin, "different" where
            none of it does, else "undecided".
    """

    difference: float | None
    low: float | None
    high: float | None
    margin: float
    p_value: float
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a report."""
        return asdict(self)


def two_one_sided_tests(values: np.ndarray, margin: float, shares: bool = False) -> Equivalence:
    """Schuirmann's two one-sided tests (J. Pharmacokinet. Biopharm., 1987) at 5 % each.

    Student's t on the values' mean; the larger of both p-values counts. They are both below 5 %
    exactly where the 90 % interval lies within the margin.

    Args:
        values: (n,) the differences of n independent units, such as images or training seeds.
        margin: the largest difference that does not matter, above 0.
        shares: whether each value is a difference of shares, in [−1, 1]. If then no image differs
            at all, the interval is what n images can tell of rare differences: 5 % = (1 − x)ⁿ.
    """
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
    """The ratio of two means as one value for each image (the delta method).

    With R = ā / b̄, image i has R + (aᵢ − R·bᵢ) / b̄: the mean is R, and the spread gives R's
    standard error for large samples (Cochran, Sampling Techniques, chapter 6).

    Returns:
        (images,); zeros where both means are 0, infinities where only the denominators' is.
    """
    top, bottom = float(numerators.mean()), float(denominators.mean())
    if bottom == 0:
        return np.full(len(numerators), math.inf if top else 0.0)
    values: np.ndarray = top / bottom + (numerators - top / bottom * denominators) / bottom
    return values


def relative_difference(reference: np.ndarray, other: np.ndarray) -> np.ndarray:
    """``other / reference − 1`` of the means as one value for each image, as :func:`ratio`.

    Zeros where both are 0 on every image.
    """
    if not reference.any() and not other.any():
        return np.zeros(len(reference))
    return ratio(other, reference) - 1


def square_root(values: np.ndarray) -> np.ndarray:
    """The square root of a mean ≥ 0 as one value for each image (the delta method)."""
    mean = float(values.mean())
    if mean == 0 or not math.isfinite(mean):
        return values
    roots: np.ndarray = math.sqrt(mean) + (values - mean) / (2 * math.sqrt(mean))
    return roots
