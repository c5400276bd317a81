"""What the RandHet paper claims, beside what a study found."""

from collections.abc import Iterator, Sequence

import torch

from stochi.plain_text import decimal, in_percent, signed
from stochi.statistics.intervals import Estimate, estimate_mean
from stochi.study.layout import PLACES
from stochi.study.results import DepthPoint, DifferenceCell, StudyResults
from stochi.study.variants import OWN

STABLE = 10
"""EOT draws from which on more are said to change nothing."""


def claim_rows(results: StudyResults) -> list[list[str]]:
    """Return the claims of Wang et al., iScience 2025, and a row for each finding about them."""
    rows = [["claim", "network", "found"]]
    rows += _cosines("cosine of gradients: about 0.3", "gradient", results)
    rows += _cosines("cosine of perturbations: 0.4 to 0.5", "perturbation", results)
    rows += _draws(results.draws_by_depth)
    rows += _differences("little clean accuracy lost, against LIF", "clean", results)
    rows += _differences("harder to attack than LIF", "worst", results)
    rows += [["harder to attack than randomized ANNs", "–", "not tested"]]
    return rows


def mean_cosine(cosines: Sequence[float]) -> Estimate:
    """Return the mean over images, with its 95 % interval."""
    return estimate_mean(torch.tensor(cosines, dtype=torch.float64), 1)


def cosine_text(cosines: Sequence[float]) -> str:
    """Return the mean over images, with its 95 % interval, as text."""
    mean = mean_cosine(cosines)
    return f"{decimal(mean.value, 2)} [{decimal(mean.low, 2)}, {decimal(mean.high, 2)}]"


def _cosines(claim: str, which: str, results: StudyResults) -> Iterator[list[str]]:
    for cell in results.similarities:
        if cell.variant == OWN:
            found = cosine_text(getattr(cell, which))
            yield [claim, f"{cell.network}, {cell.defence}", found]


def _draws(points: Sequence[DepthPoint]) -> Iterator[list[str]]:
    """Yield accuracies under attack with the stable number of draws, and with the most."""
    claim = f"attacks no stronger with more than {STABLE} draws"
    own = [point for point in points if point.variant == OWN]
    for network, defence in dict.fromkeys((point.network, point.defence) for point in own):
        here = [point for point in own if (point.network, point.defence) == (network, defence)]
        shown = sorted((point.draws, point.accuracy.value) for point in here)
        found = ", ".join(f"{draws}: {in_percent(value, 1)}" for draws, value in shown)
        yield [claim, f"{network}, {defence}", f"right by draws: {found}"]


def _differences(claim: str, column: str, results: StudyResults) -> Iterator[list[str]]:
    cells: list[DifferenceCell] = [c for c in results.against_lif if c.column == column]
    for cell in cells:
        over = cell.over_trainings
        texts = [_points(cell.difference), *([] if over is None else [_interval(over)])]
        where = f"{cell.network}, {cell.defence}, {PLACES[cell.place]}"
        yield [claim, where, f"{' '.join(texts)} points"]


def _points(difference: Estimate) -> str:
    return f"{signed(100 * difference.value, 1)} {_interval(difference)}"


def _interval(difference: Estimate) -> str:
    return f"[{signed(100 * difference.low, 1)}, {signed(100 * difference.high, 1)}]"
