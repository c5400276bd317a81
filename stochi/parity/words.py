"""Numbers of a report as words."""

from collections.abc import Sequence

from stochi.plain_text import decimal, in_percent, minus
from stochi.plain_text import signed as with_sign
from stochi.statistics.intervals import Estimate

POINTS = 100
"""Points of a share: an accuracy of 0.5 is 50 %."""


def signed(value: float, digits: int = 1) -> str:
    """Return a number with its sign; what rounds to 0 has none."""
    text = with_sign(value, digits)
    return text if text.strip("+0.") else text[1:]


def percent_interval(estimate: Estimate) -> str:
    """Return an accuracy in percent, with its interval."""
    low, high = (decimal(POINTS * end, 1) for end in (estimate.low, estimate.high))
    return f"{decimal(POINTS * estimate.value, 1)} [{low}, {high}]"


def signed_interval(value: float, low: float, high: float, digits: int = 1) -> str:
    """Return a difference with its interval."""
    return f"{signed(value, digits)} [{signed(low, digits)}, {signed(high, digits)}]"


def points(estimate: Estimate) -> str:
    """Return a difference of accuracies in points, with its interval."""
    value, low, high = (POINTS * end for end in _ends(estimate))
    return signed_interval(value, low, high)


def number(value: float) -> str:
    """Return a number in four digits."""
    return minus(f"{value + 0.0:.4g}")


def number_interval(estimate: Estimate) -> str:
    """Return an error with its interval."""
    low, high = number(estimate.low), number(estimate.high)
    return f"{number(estimate.value)} [{low}, {high}]"


def listed(names: Sequence[str], most: int = 4) -> str:
    """Return names as a sentence lists them: "a, b and c", or "a, b, c, d and 5 more"."""
    shown = [*names[:most], *[f"{len(names) - most} more"] * (len(names) > most)]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def interval_lines(estimate: Estimate) -> str:
    """Return an accuracy with its interval below it, for a cell of a table."""
    low, high = (decimal(POINTS * end, 1) for end in (estimate.low, estimate.high))
    return f"{in_percent(estimate.value, 1)}\n{low}–{high}"


def number_lines(estimate: Estimate) -> str:
    """Return an error with its interval below it."""
    return number_interval(estimate).replace(" ", "\n", 1)


def points_lines(estimate: Estimate) -> str:
    """Return a difference in points with its interval below it; all have a sign, also 0."""
    return signed_estimate(estimate, 1).replace(" ", "\n", 1)


def signed_estimate(estimate: Estimate, digits: int) -> str:
    """Return a difference of shares in percent, with its interval; all have a sign, also 0."""
    value, low, high = (with_sign(POINTS * end, digits) for end in _ends(estimate))
    return f"{value} [{low}, {high}]"


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high
