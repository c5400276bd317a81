"""A study's results as tables of text."""

from collections.abc import Callable, Iterable, Sequence
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
    WinnerCell,
)

PLACES = {
    "float": "float",
    "mean": "float, mean λ",
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
    plan = results.plan
    tables = [
        Table(f"Accuracy, %\n{describe_plan(plan)}", accuracy_rows(results.table), 3),
        Table(
            "Difference from the plain LIF with the same defence, in points, paired\n"
            f"{describe_intervals(plan)}; *: not 0 over the images, **: nor over the trainings",
            difference_rows(results.against_lif),
            3,
        ),
        Table(
            "Difference from the float model, in points, paired\n"
            f"{describe_intervals(plan)}; *: not 0 over the images, **: nor over the trainings",
            difference_rows(results.against_float),
            3,
        ),
        Table(
            "Accuracy under one attack through several surrogates, first training, %\n"
            f"cosine-decayed PGD-{plan.ensemble.iterations} (EOT {plan.ensemble.draws})",
            accuracy_rows(results.surrogates),
            3,
        ),
        Table(
            "Right in each of several showings, under AutoAttack snn on the network of the row, %\n"
            f"{describe_intervals(plan)}",
            accuracy_rows(results.showings),
            3,
        ),
        Table(
            "The same, difference from the plain LIF with the same defence, in points, paired\n"
            f"{describe_intervals(plan)}; *: not 0 over the images, **: nor over the trainings",
            difference_rows(results.showings_against_lif),
            3,
        ),
        Table(
            "Parts of AutoAttack snn that made the images that are kept, % of the images",
            winner_rows(results.winners),
            3,
        ),
        Table(
            f"Accuracy under weaker attacks, first training, %\n{describe_weaker(plan)}",
            accuracy_rows(results.weaker),
            3,
        ),
        Table(
            "What more iterations change, first training, in points, paired; *: not 0\n"
            f"{describe_climb(plan)}, iterations varied",
            difference_rows(results.converged),
            3,
        ),
        Table(
            "Cosine between two draws, first training, mean over images",
            similarity_rows(results.similarities),
            2,
        ),
    ]
    if results.masking:
        tables.append(Table("Signs of masked gradients", masking_rows(results.masking), 4))
    return tables


def describe_plan(plan: StudyPlan) -> str:
    """Return a plan's images and strongest attacks in sentences."""
    ensemble = plan.ensemble
    return (
        f"{plan.images} images of {plan.data} ({plan.ensemble_images} attacked), ε ="
        f" {255 * plan.pgd.epsilon:g}/255, {plan.trials} trials, trainings:"
        f" {plan.training.seeds}\nAutoAttack snn-{ensemble.iterations} (EOT {ensemble.draws}),"
        " transferred: made by it on the float model\nworst: per image over this, PGD through the"
        " network's own surrogate and transferred images, chosen on other draws than those"
        f" reported; every draw: right in all {plan.trials}\n{describe_intervals(plan)}"
    )


def describe_intervals(plan: StudyPlan) -> str:
    """Return what the lines of a cell mean."""
    over_trainings = ", then over trainings" if plan.training.seeds > 1 else ""
    return f"95 % intervals over images{over_trainings}"


def describe_climb(plan: StudyPlan) -> str:
    """Return the attack whose surrogate and budget are varied."""
    climb = plan.ensemble
    return f"cosine-decayed PGD-{climb.iterations} (EOT {climb.draws}, adaptive)"


def describe_weaker(plan: StudyPlan) -> str:
    """Return the budgets of the weaker attacks."""
    draws = plan.pgd.draws
    return (
        f"the network's own surrogate; PGD-{plan.pgd.iterations}, AutoAttack"
        f" rand-{plan.auto_attack.iterations} on {plan.auto_attack_images} images,"
        f" Square-{plan.square.iterations} on {plan.square_images}, all EOT {draws}"
    )


def accuracy_rows(cells: Sequence[AccuracyCell]) -> list[list[str]]:
    """Return networks and places down, attacks across; accuracy in % and its 95 % intervals."""
    return _across(cells, lambda cell: _percent(cell.accuracy, cell.over_trainings))


def difference_rows(cells: Sequence[DifferenceCell]) -> list[list[str]]:
    """Return networks and places down, attacks across; differences in points, with intervals."""
    return _across(cells, lambda cell: _points(cell.difference, cell.over_trainings))


def winner_rows(cells: Sequence[WinnerCell]) -> list[list[str]]:
    """Return networks and places down, parts across, shares in %."""
    parts = list(dict.fromkeys(name for cell in cells for name in cell.shares))
    rows = [["defence", "network", "place", *(_wrap(part) for part in parts)]]
    for cell in cells:
        shares = [f"{100 * cell.shares.get(part, 0):.0f}" for part in parts]
        rows.append([cell.defence, cell.network, PLACES[cell.place], *shares])
    return rows


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


def _across(cells: Iterable[Compared], text: Callable[[Compared], str]) -> list[list[str]]:
    lines: dict[tuple[str, str, str], dict[str, str]] = {}
    columns: dict[str, None] = {}
    for cell in cells:
        line = (cell.defence, cell.network, PLACES[cell.place])
        lines.setdefault(line, {})[cell.column] = text(cell)
        columns[cell.column] = None
    return [
        ["defence", "network", "place", *(_wrap(column) for column in columns)],
        *([*line, *(found.get(c, "–") for c in columns)] for line, found in lines.items()),
    ]


def _wrap(head: str) -> str:
    """Return a column's head in lines of about one word."""
    return head.replace("AutoAttack ", "AutoAttack\n").replace(" (", "\n(").replace(", ", ",\n")


def _percent(accuracy: Estimate, over_trainings: Estimate | None) -> str:
    lines = [f"{accuracy.value:.1%}"]
    for estimate in (accuracy, over_trainings):
        if estimate is not None:
            lines.append(f"{100 * max(0, estimate.low):.0f}–{100 * min(1, estimate.high):.0f}")
    return "\n".join(lines)


def _points(difference: Estimate, over_trainings: Estimate | None) -> str:
    estimates = [one for one in (difference, over_trainings) if one is not None]
    apart = [one.low > 0 or one.high < 0 for one in estimates]
    mark = (" **" if all(apart) and len(apart) == 2 else " *") if apart[0] else ""
    lines = [f"{100 * difference.value:+.1f}{mark}"]
    lines += [f"{100 * one.low:+.1f}…{100 * one.high:+.1f}" for one in estimates]
    return "\n".join(lines)
