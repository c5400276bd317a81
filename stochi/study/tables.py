"""A study's results as tables of text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from stochi.statistics.intervals import Estimate, estimate_mean
from stochi.study.plan import StudyPlan
from stochi.study.results import (
    AccuracyCell,
    DifferenceCell,
    MaskingCell,
    SimilarityCell,
    StudyResults,
)

COLUMNS = ("clean", "noise", "FGSM", "PGD", "PGD, transferred", "AutoAttack rand", "Square")
PLACES = {
    "float": "float",
    "decay": "chip, decay",
    "membrane": "chip, membrane",
    "none": "chip, no noise",
}
"""Place → its name in tables and figures."""
Compared = TypeVar("Compared", bound=AccuracyCell | DifferenceCell)


@dataclass(frozen=True)
class Table:
    """Rows of text.

    Attributes:
        title: text above the rows, of one or more lines.
        rows: the heads, then the rows.
        text_columns: number of columns at the left that hold words; the others hold numbers.
    """

    title: str
    rows: list[list[str]]
    text_columns: int


def make_tables(results: StudyResults) -> list[Table]:
    """Return all tables of a study; that of masked gradients is the last, if there are signs."""
    tables = [
        Table(f"Accuracy, %\n{describe_plan(results.plan)}", accuracy_rows(results.table), 3),
        Table(
            "Difference from the plain LIF with the same defence, in points, paired; *: not 0",
            difference_rows(results.against_lif),
            3,
        ),
        Table(
            "The chip minus the float model, in points, paired; *: not 0",
            difference_rows(results.against_float),
            3,
        ),
        Table(
            "Cosine between two draws, mean over images",
            similarity_rows(results.similarities),
            2,
        ),
    ]
    if results.masking:
        tables.append(Table("Signs of masked gradients", masking_rows(results.masking), 4))
    return tables


def describe_plan(plan: StudyPlan) -> str:
    """Return a plan's images and budgets in one sentence."""
    return (
        f"{plan.images} images of {plan.data} (AutoAttack {plan.auto_attack_images}, Square"
        f" {plan.square_images}), ε = {plan.pgd.epsilon:.4f}, PGD-{plan.pgd.iterations} (EOT"
        f" {plan.pgd.draws}), {plan.trials} trials, {plan.training.seeds} training seeds; 95 %"
        " intervals over images"
    )


def accuracy_rows(cells: Sequence[AccuracyCell]) -> list[list[str]]:
    """Return networks and places down, attacks across; accuracy in % and its 95 % interval."""
    return _across(cells, lambda cell: _percent(cell.accuracy))


def difference_rows(cells: Sequence[DifferenceCell]) -> list[list[str]]:
    """Return networks and places down, attacks across; differences in points, with intervals."""
    return _across(cells, lambda cell: _points(cell.difference))


def masking_rows(cells: Sequence[MaskingCell]) -> list[list[str]]:
    """Return one row for each sign."""
    rows = [["defence", "network", "place", "sign", "value", "limit"]]
    for cell in cells:
        sign = cell.finding
        value = f"{sign.value:.1%} [{sign.low:.1%}, {sign.high:.1%}]"
        where = [cell.defence, cell.network, PLACES[cell.place]]
        rows.append([*where, sign.sign, value, f"{sign.limit:.0%}"])
    return rows


def similarity_rows(cells: Sequence[SimilarityCell]) -> list[list[str]]:
    """Return mean cosines between draws, with 95 % intervals."""
    rows = [["defence", "network", "gradients", "perturbations"]]
    for cell in cells:
        means = [
            estimate_mean(torch.tensor(cosines, dtype=torch.float64), 1)
            for cosines in (cell.gradient, cell.perturbation)
        ]
        texts = [f"{mean.value:.2f} [{mean.low:.2f}, {mean.high:.2f}]" for mean in means]
        rows.append([cell.defence, cell.network, *texts])
    return rows


def _across(cells: Sequence[Compared], text: Callable[[Compared], str]) -> list[list[str]]:
    present = [column for column in COLUMNS if any(cell.column == column for cell in cells)]
    heads = [column.replace("PGD, ", "PGD,\n").replace("Attack ", "Attack\n") for column in present]
    lines: dict[tuple[str, str, str], dict[str, str]] = {}
    for cell in cells:
        line = (cell.defence, cell.network, PLACES[cell.place])
        lines.setdefault(line, {})[cell.column] = text(cell)
    return [
        ["defence", "network", "place", *heads],
        *([*line, *(found.get(c, "–") for c in present)] for line, found in lines.items()),
    ]


def _percent(accuracy: Estimate) -> str:
    return f"{accuracy.value:.1%}\n{100 * accuracy.low:.0f}–{100 * accuracy.high:.0f}"


def _points(difference: Estimate) -> str:
    value, low, high = (100 * one for one in (difference.value, difference.low, difference.high))
    mark = " *" if low > 0 or high < 0 else ""
    return f"{value:+.1f}{mark}\n{low:+.1f}…{high:+.1f}"
