"""The verdict of a report: what it says, in sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stochi.parity.distribution.results import Comparison, Distribution, Place
from stochi.parity.report.quantities import name_places
from stochi.parity.report.randomness import draws_nothing, judged, moved_spikes
from stochi.parity.report.tables import RIGHT
from stochi.parity.report.warnings import FOREIGN_SHARE
from stochi.parity.results import (
    CHIP,
    CLEAN,
    FLOAT,
    SIDES,
    WORST,
    AccuracyRow,
    Errors,
    ExactComparison,
)
from stochi.parity.words import listed, number, points, signed
from stochi.plain_text import counted, in_percent
from stochi.statistics.intervals import Estimate

if TYPE_CHECKING:
    from stochi.parity.report.report import ParityReport

HOLDS, PARTLY, FAILS, OPEN = "holds", "partly", "fails", "open"
"""What a verdict comes to: the network survives, survives with a change, does not, or unknown."""
ACCURACY_MARGIN = 0.005
"""Loss of accuracy that does not matter if the report has no margins of its own: half a point."""
LARGE_LOSS = 0.05
"""Loss of accuracy that must be excluded before a network is said to survive: five points."""
LITTLE_LEFT = "too little is left to compare"
_RUNS = {"twin": "twin", "engine": "engine", "lava": "Lava"}


@dataclass(frozen=True)
class Verdict:
    """What a report comes to.

    Attributes:
        level: "holds", "partly", "fails" or "open".
        headline: the answer in a sentence.
        details: further sentences, the most important first: what limits the answer.
    """

    level: str
    headline: str
    details: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All of it."""
        return " ".join((self.headline, *self.details))


def find_verdict(report: "ParityReport") -> Verdict:
    """Return what a report comes to.

    The network survives if no value differs, if no comparison in distribution lies beyond its
    margin, if the interval of the clean accuracy's difference reaches above the margin of a loss,
    and if it excludes a loss of five points; the interval of a regression's error must reach 0.
    """
    level, answer = _answer(report)
    found = [_of_values(report.exact), *_of_answers(report)]
    return Verdict(level, f"{answer}: {'; '.join(found)}.", tuple(_limits(report)))


def clean_of(accuracy: Sequence[AccuracyRow]) -> AccuracyRow | None:
    """Return the row of clean images, None if there is none."""
    return next((row for row in accuracy if row.attack == CLEAN), None)


def strongest(accuracy: Sequence[AccuracyRow]) -> AccuracyRow | None:
    """Return the attacked images of which the chip gets the least right, None without attacks.

    The images of one attack on one side's model are white-box for that side alone. So those of
    which each side has its worst stand for all of them, where there are such.
    """
    attacked = [row for row in accuracy if row.attack != CLEAN]
    if any(row.title == WORST for row in attacked):
        attacked = [row for row in attacked if row.title == WORST or row.made_on is None]
    return min(attacked, key=lambda row: row.sides[CHIP].value, default=None)


def name_shown(row: AccuracyRow) -> str:
    """Name of a set of images, with the side whose model the attack used."""
    return row.attack + (f", made on {SIDES[row.made_on]}" if row.made_on else "")


def _answer(report: "ParityReport") -> tuple[str, str]:
    """Return the level, and the beginning of the headline."""
    if any(share > FOREIGN_SHARE for share in report.other_weights.values()):
        return FAILS, "No verdict, since the Program was lowered from another model"
    if report.own is not None and report.own.differing:
        return FAILS, "No verdict on your model, since it answers differently from its graph"
    if report.mismatches:
        return FAILS, "The chip's integers are not those that your network should have"
    if report.compared == 0:
        return OPEN, "No verdict, since nothing was compared value for value"
    if report.errors is not None:
        if report.errors.differences[RIGHT].low > 0:
            return PARTLY, "Your network's error grows on the chip"
        return _if_equal(report.distribution, "error")
    clean = clean_of(report.accuracy)
    if clean is None:
        return OPEN, "No verdict, since no accuracy was measured"
    margin = ACCURACY_MARGIN
    if report.distribution is not None:
        margin = report.distribution.margins.accuracy
    if clean.differences[RIGHT].high < -margin:
        return FAILS, "Your network loses accuracy on the chip"
    shown = strongest(report.accuracy)
    if shown is not None and shown.differences[RIGHT].high < -margin:
        return PARTLY, "Your network survives the chip on clean images, but loses under attack"
    if clean.differences[RIGHT].low < -LARGE_LOSS:
        images = counted(clean.sides[CHIP].images, "image")
        return OPEN, f"Too little to tell whether your network survives the chip, on {images}"
    level, answer = _if_equal(report.distribution, "accuracy")
    if level == HOLDS and shown is not None and _may_lose_much(shown):
        samples = counted(shown.sides[CHIP].images, "image")
        clean_only = "Your network survives the chip on clean images"
        return OPEN, f"{clean_only}; under attack there is too little to tell, on {samples}"
    return level, answer


def _if_equal(distribution: Distribution | None, kept: str) -> tuple[str, str]:
    if _of_verdict(distribution, "different"):
        return PARTLY, f"Your network keeps its {kept}, but float model and chip behave differently"
    return HOLDS, "Your network survives the chip"


def _of_values(exact: Sequence[ExactComparison]) -> str:
    compared = sum(entry.compared for entry in exact)
    if not compared:
        return "no values were compared"
    ran = {name for entry in exact for name in (entry.left, entry.right)}
    sides = listed([name for key, name in _RUNS.items() if key in ran])
    differ = sum(entry.mismatches for entry in exact)
    if differ:
        return f"{sides} differ in {differ:,} of {counted(compared, 'value')}"
    return f"{sides} agree in all {counted(compared, 'value')}"


def _of_answers(report: "ParityReport") -> list[str]:
    """Return how the answers change from float model to chip, in a phrase if they were measured."""
    changes = []
    if report.errors is not None:
        changes.append(f"the mean squared error changes by {_of_errors(report.errors)}")
    clean = clean_of(report.accuracy)
    if clean is not None:
        changes.append(f"accuracy changes by {_points(clean.differences[RIGHT])}")
    shown = strongest(report.accuracy)
    if shown is not None:
        left = f"by {_points(shown.differences[RIGHT])}"
        changes.append(f"under attack {LITTLE_LEFT if _leaves_little(shown) else left}")
    return [f"from float model to chip, {', and '.join(changes)}"] if changes else []


def _of_errors(errors: Errors) -> str:
    shift = errors.differences[RIGHT]
    low, high = number(shift.low), number(shift.high)
    plus = "" if shift.value < 0 else "+"
    return f"{plus}{number(shift.value)} [{low}, {high}] to {number(errors.sides[CHIP].value)}"


def _points(difference: Estimate) -> str:
    value, _, interval = points(difference).partition(" ")
    return f"{value} points {interval}"


def _leaves_little(row: AccuracyRow) -> bool:
    """Return whether float model and chip have too little right to lose the large loss."""
    return all(row.sides[side].value <= LARGE_LOSS for side in (FLOAT, CHIP))


def _largest_loss(row: AccuracyRow) -> float:
    """Return the largest loss that is not excluded; the chip has no more to lose than the float."""
    return min(-row.differences[RIGHT].low, row.sides[FLOAT].value)


def _may_lose_much(row: AccuracyRow) -> bool:
    """Return whether a large loss is neither excluded nor certain."""
    sure = _leaves_little(row) or row.differences[RIGHT].high < -LARGE_LOSS
    return not sure and _largest_loss(row) > LARGE_LOSS


def _limits(report: "ParityReport") -> list[str]:
    """Return what limits the answer."""
    found = [*_of_exact(report), *_of_attacks(report)]
    distribution = report.distribution
    if distribution is None:
        return [*found, "Rates, membranes and answers were not compared in distribution."]
    different = _of_verdict(distribution, "different")
    if different:
        names = name_places([place for place, _ in different])
        found.append(f"Float model and chip differ beyond the margins in {names}.")
    undecided = _of_verdict(distribution, "undecided")
    if undecided:
        total = sum(1 for _ in judged(distribution))
        more = "more images" if draws_nothing(report) else "more images or trials"
        found.append(
            f"Undecided within the margins: {len(undecided):,} of {counted(total, 'comparison')}"
            f" in distribution; {more} would decide them."
        )
    return found + _of_trials(report, distribution)


def _of_trials(report: "ParityReport", distribution: Distribution) -> list[str]:
    """Return what the number of trials leaves open, and what equal trials do."""
    if not draws_nothing(report):
        one = "A single trial shows nothing of variability."
        return [one] if distribution.left_out else []
    alike = "The network draws no random numbers, so all trials are alike"
    if distribution.left_out:
        found = [f"{alike}; a second one shows how far rounding moves spikes and membranes."]
    else:
        found = [f"{alike}{' and two are enough' if distribution.trials > 2 else ''}."]
    moved = moved_spikes(distribution)
    if moved:
        layer = max(moved, key=lambda name: moved[name])
        found.append(
            f"Rounding moves spikes, at most in {layer}: in {in_percent(moved[layer], 1)} of its"
            " places only one of float model and chip spikes. Trials that are alike give no spread"
            " to judge that by."
        )
    return found


def _of_exact(report: "ParityReport") -> list[str]:
    if report.mismatches:
        return [_first_place(report.exact)]
    if report.compared and not report.configuration.lava:
        return ["Lava did not run: the twin and the engine were compared."]
    return []


def _first_place(exact: Sequence[ExactComparison]) -> str:
    entry = next(entry for entry in exact if entry.mismatches)
    layer = next(layer for layer in entry.layers if layer.mismatches)
    where = f"{layer.quantity} of {layer.layer}"
    first = layer.first
    step = "" if first is None else f", step {first.step}"
    return f"The first difference is in {where}{step}, between {entry.left} and {entry.right}."


def _of_attacks(report: "ParityReport") -> list[str]:
    shown = strongest(report.accuracy)
    if shown is None:
        return [] if report.errors is not None else ["It was not attacked."]
    kept, before = (shown.sides[side] for side in (CHIP, FLOAT))
    found = [
        f"Under the strongest attack ({name_shown(shown)}, {counted(kept.images, 'image')}) the"
        f" chip keeps {in_percent(kept.value, 1)} right, and the float model"
        f" {in_percent(before.value, 1)}."
    ]
    if _leaves_little(shown):
        less = "budget" if shown.epsilon is None else "ε"
        found.append(f"That is too little to compare; take a smaller {less}.")
    elif _may_lose_much(shown):
        lost = signed(100 * _largest_loss(shown))[1:]
        found.append(f"A loss of up to {lost} points under this attack cannot be ruled out.")
    if report.masking:
        found.append("Gradients look masked, so stronger attacks may exist.")
    return found


def _of_verdict(distribution: Distribution | None, verdict: str) -> list[tuple[Place, Comparison]]:
    if distribution is None:
        return []
    return [(place, entry) for place, entry in judged(distribution) if entry.verdict == verdict]


def shift_in_percent(entry: Comparison, digits: int = 2) -> str:
    """Return a comparison's difference in percent with its 90 % interval, "–" if it has none."""
    if entry.difference is None:
        return "–"
    value = signed(100 * entry.difference, digits)
    if entry.low is None or entry.high is None:
        return value
    return f"{value} [{signed(100 * entry.low, digits)}, {signed(100 * entry.high, digits)}]"
