"""The results of a study on events as values, with intervals over the test recordings."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from stochi.attacks.masking import Finding
from stochi.statistics.intervals import Estimate
from stochi.study.events.plan import EventStudyPlan
from stochi.study.plain import as_plain


@dataclass(frozen=True)
class ShareCell:
    """Accuracy of one network in one place.

    Attributes:
        network: the network's title.
        place: "float", or the stand-in on the chip.
        column: what it is shown, a column of the tables.
        accuracy: the accuracy with Wilson's interval over the recordings.
        over_trainings: its interval over training seeds; None if there was one.
    """

    network: str
    place: str
    column: str
    accuracy: Estimate
    over_trainings: Estimate | None


@dataclass(frozen=True)
class SuccessCell:
    """Success of an attack, or the fooling rate of a pattern, on one network in one place.

    Attributes:
        network, place: as in :class:`ShareCell`.
        attack: name of the attack or the pattern; "worst" for the worst of each recording.
        made_on: where it was made: "own" (the place's own model), "float" (the network's float
            model), the title of another network (its float model), or "" if it needs no model.
        column: the budget, a column of the tables.
        size: the budget as a number: events, steps or pixels of a side.
        success: share of wrong answers among the recordings that are right without an attack, with
            Wilson's interval over these.
        over_trainings: its interval over training seeds; None if there was one.
        median_changes, mean_changes: L0 of those that were made wrong in most trials; None if there
            is none, or if several attacks made them.
        median_share: median of the same as a share of the recording's own events.
        timing: means of B∞, B1 and B0 of the same recordings, if events were moved.
    """

    network: str
    place: str
    attack: str
    made_on: str
    column: str
    size: int
    success: Estimate
    over_trainings: Estimate | None
    median_changes: float | None = None
    mean_changes: float | None = None
    median_share: float | None = None
    timing: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class DifferenceCell:
    """Difference of two success rates, on the recordings that count for both.

    Attributes:
        network, place, attack, made_on, column: as in :class:`SuccessCell`.
        reference: what is subtracted.
        difference: the success minus that of the reference, with a paired interval.
        over_trainings: its interval over training seeds; None if there was one.
    """

    network: str
    place: str
    attack: str
    made_on: str
    column: str
    reference: str
    difference: Estimate
    over_trainings: Estimate | None


@dataclass(frozen=True)
class EventMaskingCell:
    """A sign of masked gradients.

    Attributes:
        network, place: as in :class:`ShareCell`.
        attack: the attack that is stronger than it should be.
        column: the budget.
        finding: the sign with its numbers.
    """

    network: str
    place: str
    attack: str
    column: str
    finding: Finding


@dataclass(frozen=True)
class EventStudyResults:
    """What a finished study on events found, averaged over its training seeds.

    Attributes:
        plan: the plan of the study.
        accuracies: of every network in every place, clean and under the worst attack.
        attacks: success of every attack, made on the place's own model.
        worst: success of the worst attack on each recording.
        transferred: success on the chip of what was made on the float model.
        crossed: success of what was made on another network's float model.
        patterns: fooling rates of universal perturbations and of what they must beat.
        patches: those of patches.
        against_lif: success of the worst attacks minus that on the plain LIF, paired.
        against_float: that on the chip minus that on the float model, paired.
        against_random: fooling rates of patterns minus those of random ones, paired.
        masking: signs of masked gradients.
    """

    plan: EventStudyPlan
    accuracies: tuple[ShareCell, ...]
    attacks: tuple[SuccessCell, ...]
    worst: tuple[SuccessCell, ...]
    transferred: tuple[SuccessCell, ...]
    crossed: tuple[SuccessCell, ...]
    patterns: tuple[SuccessCell, ...]
    patches: tuple[SuccessCell, ...]
    against_lif: tuple[DifferenceCell, ...]
    against_float: tuple[DifferenceCell, ...]
    against_random: tuple[DifferenceCell, ...]
    masking: tuple[EventMaskingCell, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plan and results as plain values, for ``json.dumps``."""
        cells = {field.name: getattr(self, field.name) for field in fields(self)[1:]}
        return {"plan": asdict(self.plan)} | {n: as_plain(some) for n, some in cells.items()}
