"""The results of a study as values, with intervals over the test images."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from stochi.attacks.masking import Finding
from stochi.notebook_tables import html_table
from stochi.plain_text import counted
from stochi.statistics.intervals import Estimate
from stochi.study.layout import PLACES, across, percent
from stochi.study.plain import as_plain
from stochi.study.plan import StudyPlan
from stochi.study.variants import Variant

WHERE = ("defence", "network", "place")
"""Heads of the words that tell a cell from others."""


@dataclass(frozen=True)
class AccuracyCell:
    """Accuracy of one network in one place under one attack.

    Attributes:
        defence: the defence in training.
        network: the network's title.
        place: "float", "mean" (λ at its mean), or the stand-in on the chip.
        column: name of the attack, a column of the tables.
        accuracy: the accuracy with Wilson's interval over the images.
        over_trainings: its interval over training seeds; None if there was one.
    """

    defence: str
    network: str
    place: str
    column: str
    accuracy: Estimate
    over_trainings: Estimate | None


@dataclass(frozen=True)
class DifferenceCell:
    """Difference of two accuracies on the same images.

    Attributes:
        defence, network, place, column: as in :class:`AccuracyCell`.
        difference: the accuracy minus that of the reference, with a paired interval over images.
        over_trainings: its interval over training seeds; None if there was one.
    """

    defence: str
    network: str
    place: str
    column: str
    difference: Estimate
    over_trainings: Estimate | None


@dataclass(frozen=True)
class WinnerCell:
    """Which part of the ensemble made the images that are kept.

    Attributes:
        defence, network, place: as in :class:`AccuracyCell`.
        shares: name of the part → share of the images that it made.
    """

    defence: str
    network: str
    place: str
    shares: dict[str, float]


@dataclass(frozen=True)
class MaskingCell:
    """A sign of masked gradients.

    Attributes:
        defence, network, place: as in :class:`AccuracyCell`.
        finding: the sign with its numbers.
    """

    defence: str
    network: str
    place: str
    finding: Finding


@dataclass(frozen=True)
class CurvePoint:
    """Accuracy under the varied attack at one value of what a curve varies.

    Attributes:
        defence, network, place: as in :class:`AccuracyCell`.
        axis: "epsilon", "iterations", "draws" or "sigma".
        at: the value on this axis.
        accuracy: the accuracy with Wilson's interval.
    """

    defence: str
    network: str
    place: str
    axis: str
    at: float
    accuracy: Estimate


@dataclass(frozen=True)
class SimilarityCell:
    """Cosines between draws of the float model, for each image.

    Attributes:
        defence, network: as in :class:`AccuracyCell`.
        variant: what differs from that network.
        gradient: cosines between gradients.
        perturbation: cosines between perturbations of PGD.
    """

    defence: str
    network: str
    variant: Variant
    gradient: tuple[float, ...]
    perturbation: tuple[float, ...]


@dataclass(frozen=True)
class DepthPoint:
    """Accuracy of the float model under one attack, by EOT draws and random layers.

    Attributes:
        defence, network: as in :class:`AccuracyCell`.
        variant: how many layers draw.
        draws: number of EOT draws.
        accuracy: the accuracy with Wilson's interval.
    """

    defence: str
    network: str
    variant: Variant
    draws: int
    accuracy: Estimate

    @property
    def column(self) -> str:
        """Head of its column."""
        return counted(self.draws, "draw")


Cell = (
    DepthPoint
    | AccuracyCell
    | DifferenceCell
    | WinnerCell
    | MaskingCell
    | CurvePoint
    | SimilarityCell
)


@dataclass(frozen=True)
class StudyResults:
    """What a finished study found, averaged over its training seeds.

    Intervals over images show what other images would change about these networks, those over
    trainings what another training would.

    Attributes:
        plan: the plan of the study.
        table: accuracies of every network in every place under the strongest attacks.
        weaker: accuracies of the first training under weaker attacks.
        surrogates: accuracies of the first training under one attack through other surrogates.
        against_lif: each float model minus the plain LIF with the same defence, each under attacks
            on itself.
        against_float: the other places minus the float model, each under attacks on its own
            model, or both under those on the float model.
        winners: the parts of the ensemble that made the images.
        showings: shares of images that are right in each of several showings, under the ensemble at
            every ε.
        showings_against_lif: those of each float model minus the plain LIF's.
        masking: signs of masked gradients.
        curves: accuracy against an attack's ε, iterations and EOT draws, and against σ.
        converged: how much more iterations still gain, for each of the curves against them.
        similarities: cosines between draws.
        draws_by_depth: accuracy against EOT draws, for several numbers of random layers.
    """

    plan: StudyPlan
    table: tuple[AccuracyCell, ...]
    weaker: tuple[AccuracyCell, ...]
    surrogates: tuple[AccuracyCell, ...]
    against_lif: tuple[DifferenceCell, ...]
    against_float: tuple[DifferenceCell, ...]
    winners: tuple[WinnerCell, ...]
    showings: tuple[AccuracyCell, ...]
    showings_against_lif: tuple[DifferenceCell, ...]
    masking: tuple[MaskingCell, ...]
    curves: tuple[CurvePoint, ...]
    converged: tuple[DifferenceCell, ...]
    similarities: tuple[SimilarityCell, ...]
    draws_by_depth: tuple[DepthPoint, ...]

    def _repr_html_(self) -> str:
        """Return the accuracies under the strongest attacks, for notebooks."""
        rows = accuracy_rows(self.table)
        return html_table(f"Study on {self.plan.data}, accuracy in % with 95 % intervals", rows, 3)

    def to_json(self) -> dict[str, Any]:
        """Return plan and results as plain values, for ``json.dumps``."""
        cells = {field.name: getattr(self, field.name) for field in fields(self)[1:]}
        return {"plan": asdict(self.plan)} | {n: as_plain(some) for n, some in cells.items()}


def accuracy_rows(cells: Sequence[AccuracyCell]) -> list[list[str]]:
    """Return networks and places down, attacks across; accuracy in % and its 95 % intervals."""

    def line_of(cell: AccuracyCell) -> list[str]:
        return [cell.defence, cell.network, PLACES[cell.place]]

    return across(cells, WHERE, line_of, lambda c: percent(c.accuracy, c.over_trainings))
