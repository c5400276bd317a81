"""The verdict of a report: what it says, in sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stochi.parity.distribution.results import Comparison, Distribution, Place, comparisons
from stochi.parity.report.tables import name_of
from stochi.parity.report.warnings import FOREIGN_SHARE
from stochi.parity.report.words import listed, number, percent, points, signed
from stochi.parity.results import CHIP, CLEAN, SIDES, WORST, AccuracyRow, Errors, ExactComparison
from stochi.plain_text import counted
from stochi.statistics.intervals import Estimate

if TYPE_CHECKING:
    from stochi.parity.report.report import ParityReport

HOLDS, PARTLY, FAILS, OPEN = "holds", "partly", "fails", "open"
"""What a verdict comes to: the network survives, survives with a change, does not, or unknown."""
ACCURACY_MARGIN = 0.005
"""Loss of accuracy that does not matter if the report has no margins of its own: half a point."""
LARGE_LOSS = 0.05
"""Loss of accuracy that must be excluded before a network is said to survive: five points."""
RIGHT = "chip_minus_float"


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
    found = [_of_values(report.exact)]
    if report.errors is not None:
        found.append(_of_errors(report.errors))
    clean = clean_of(report.accuracy)
    if clean is not None:
        found.append(f"accuracy {_points(clean.differences[RIGHT])}")
    shown = strongest(report.accuracy)
    if shown is not None:
        found.append(f"under attack {_points(shown.differences[RIGHT])}")
    return Verdict(level, f"{answer}: {'; '.join(found)}.", tuple(_limits(report)))


def clean_of(accuracy: Sequence[AccuracyRow]) -> AccuracyRow | None:
    """Return the row of clean images, None if there is none."""
    return next((row for row in accuracy if row.attack == CLEAN), None)


def strongest(accuracy: Sequence[AccuracyRow]) -> AccuracyRow | None:
    """Return the attacked images of which the chip gets the least right, None without attacks.

    Of equal ones the worst of all attacks comes first.
    """
    attacked = [row for row in accuracy if row.attack != CLEAN]
    if not attacked:
        return None
    return min(attacked, key=lambda row: (row.sides[CHIP].value, row.title != WORST))


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
    return _if_equal(report.distribution, "accuracy")


def _if_equal(distribution: Distribution | None, kept: str) -> tuple[str, str]:
    if _of_verdict(distribution, "different"):
        return PARTLY, f"Your network keeps its {kept} on the chip, but behaves differently"
    return HOLDS, "Your network survives the chip"


def _of_values(exact: Sequence[ExactComparison]) -> str:
    differ = sum(entry.mismatches for entry in exact)
    return f"{differ:,} of {counted(sum(entry.compared for entry in exact), 'value')} differ"


def _of_errors(errors: Errors) -> str:
    shift = errors.differences[RIGHT]
    low, high = number(shift.low), number(shift.high)
    return (
        f"mean squared error {number(errors.sides[CHIP].value)} on the chip,"
        f" {'' if shift.value < 0 else '+'}{number(shift.value)} [{low}, {high}]"
    )


def _points(difference: Estimate) -> str:
    value, _, interval = points(difference).partition(" ")
    return f"{value} points {interval}"


def _limits(report: "ParityReport") -> list[str]:
    """Return what limits the answer."""
    found = [*_of_exact(report), *_of_attacks(report)]
    distribution = report.distribution
    if distribution is None:
        return [*found, "Rates, membranes and answers were not compared in distribution."]
    different = _of_verdict(distribution, "different")
    if different:
        names = listed([name_of(place) for place, _ in different])
        found.append(f"Beyond the margins: {names}.")
    undecided = _of_verdict(distribution, "undecided")
    total = sum(1 for _ in comparisons(distribution.layers, distribution.network))
    if undecided:
        found.append(
            f"Undecided within the margins: {len(undecided):,} of {counted(total, 'comparison')}"
            " in distribution; more images or trials decide them."
        )
    if distribution.left_out:
        found.append("A single trial shows nothing of variability.")
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
    kept, before = (shown.sides[side] for side in (CHIP, "float"))
    found = [
        f"Under the strongest attack ({name_shown(shown)}, {counted(kept.images, 'image')}) the"
        f" chip keeps {percent(kept.value)} right, and the float model {percent(before.value)}."
    ]
    shift = shown.differences[RIGHT]
    if shift.low < -LARGE_LOSS <= shift.high:
        found.append(f"There a loss of {signed(-100 * shift.low)[1:]} points is not excluded.")
    if report.masking:
        found.append("Gradients look masked, so stronger attacks may exist.")
    return found


def _of_verdict(distribution: Distribution | None, verdict: str) -> list[tuple[Place, Comparison]]:
    if distribution is None:
        return []
    every = comparisons(distribution.layers, distribution.network)
    return [(place, entry) for place, entry in every if entry.verdict == verdict]


def shift_in_percent(entry: Comparison, digits: int = 2) -> str:
    """Return a comparison's difference in percent with its 90 % interval, "–" if it has none."""
    if entry.difference is None:
        return "–"
    value = signed(100 * entry.difference, digits)
    if entry.low is None or entry.high is None:
        return value
    return f"{value} [{signed(100 * entry.low, digits)}, {signed(100 * entry.high, digits)}]"
