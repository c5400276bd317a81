"""The results of a study as values, with intervals over the test images."""

from dataclasses import asdict, dataclass
from typing import Any

from stochi.attacks.masking import Finding
from stochi.statistics.intervals import Estimate
from stochi.study.plan import StudyPlan


@dataclass(frozen=True)
class AccuracyCell:
    """Accuracy of one network in one place under one attack.

    Attributes:
        defence: the defence in training.
        network: the network's title.
        place: "float", or the stand-in on the chip.
        column: name of the attack, a column of the tables.
        accuracy: the accuracy with Wilson's interval.
    """

    defence: str
    network: str
    place: str
    column: str
    accuracy: Estimate


@dataclass(frozen=True)
class DifferenceCell:
    """Difference of two accuracies on the same images.

    Attributes:
        defence, network, place, column: as in :class:`AccuracyCell`.
        difference: the accuracy minus that of the reference, with a paired interval.
    """

    defence: str
    network: str
    place: str
    column: str
    difference: Estimate


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
    """Accuracy under PGD at one value of what a curve varies.

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
    """Cosines between draws of the float model, for each image, all training seeds in a row.

    Attributes:
        defence, network: as in :class:`AccuracyCell`.
        gradient: cosines between gradients.
        perturbation: cosines between perturbations of PGD.
    """

    defence: str
    network: str
    gradient: tuple[float, ...]
    perturbation: tuple[float, ...]


Cell = AccuracyCell | DifferenceCell | MaskingCell | CurvePoint | SimilarityCell


@dataclass(frozen=True)
class StudyResults:
    """What a finished study found, averaged over its training seeds.

    Intervals are over images: they show what other images would change about these networks, not
    what another training would.

    Attributes:
        plan: the plan of the study.
        table: accuracies of every network in every place under every attack.
        against_lif: each float model minus the plain LIF with the same defence, each under attacks
            on itself.
        against_float: the chip minus the float model, each under attacks on its own model, or both
            under those on the float model.
        masking: signs of masked gradients.
        curves: accuracy under PGD against ε, iterations, EOT draws and σ.
        similarities: cosines between draws.
    """

    plan: StudyPlan
    table: tuple[AccuracyCell, ...]
    against_lif: tuple[DifferenceCell, ...]
    against_float: tuple[DifferenceCell, ...]
    masking: tuple[MaskingCell, ...]
    curves: tuple[CurvePoint, ...]
    similarities: tuple[SimilarityCell, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plan and results as plain values, for ``json.dumps``."""
        return {
            "plan": asdict(self.plan),
            "table": _plain(self.table),
            "against_lif": _plain(self.against_lif),
            "against_float": _plain(self.against_float),
            "masking": _plain(self.masking),
            "curves": _plain(self.curves),
            "similarities": _plain(self.similarities),
        }


def _plain(cells: tuple[Cell, ...]) -> list[dict[str, Any]]:
    """Return cells as plain values, with the numbers of an estimate beside the other fields."""
    found = []
    for cell in cells:
        flat: dict[str, Any] = {}
        for name, value in asdict(cell).items():
            flat.update(value if isinstance(value, dict) else {name: value})
        found.append(flat)
    return found
