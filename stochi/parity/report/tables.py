"""A report's results as rows of text; the first row is the head."""

from collections.abc import Iterator, Sequence
from dataclasses import fields

from stochi.parity.distribution.results import (
    AnswerDistribution,
    Comparison,
    Distribution,
    LayerDistribution,
    Place,
)
from stochi.parity.report.words import number_interval
from stochi.parity.results import (
    CHIP,
    CLEAN,
    FLOAT,
    SIDES,
    Ablation,
    AccuracyRow,
    Errors,
    ExactComparison,
    RateShift,
    Shown,
)
from stochi.plain_text import Lines, counted, decimal, in_percent, signed
from stochi.statistics.intervals import Estimate

Rows = list[list[str]]
ACCURACY_TITLE = "Accuracy (95 % intervals over images), and share right in all trials"
ERRORS_TITLE = "Mean squared error (95 % intervals over inputs)"
PARTS_TITLE = "Which part of an attack made the images"
DIFFERENCES_TITLE = "Differences in points (95 % paired intervals), and number of images that flip"
EXACT_TITLE = "Value for value"
DISTRIBUTION_TITLE = "In distribution (90 % intervals over images)"
ABLATION_TITLE = "Each of the chip's properties alone (95 % intervals, paired with the float model)"
DIFFERENCES = {
    "chip_minus_float": "chip − float",
    "twin_minus_float": "twin − float",
    "chip_minus_twin": "chip − twin",
}
FLIPS = {"float_only": "flip: float", "chip_only": "flip: chip", "both": "flip: both"}
QUANTITIES = {
    "rate": "firing rate",
    "fano": "Fano factor",
    "distance": "spike distance",
    "distance_across": "spike distance across sides",
    "membrane": "membrane W1",
    "accuracy": "accuracy",
    "logit_mean": "logit, class",
    "logit_spread": "logit spread",
    "agreement": "agreement",
    "agreement_across": "agreement across sides",
}
"""Quantity → its name for people."""
VARIANTS = {
    "float": "float model",
    "input": "8-bit input",
    "weights": "weights",
    "decays": "decays",
    "states": "24-bit states",
    "noise": "noise stand-in",
    "all": "all: the chip",
}
ACROSS = "across sides"
"""End of the names of quantities that compare a run of each side, below their own in tables."""
NOTHING = "–"


def accuracy_rows(accuracy: Sequence[AccuracyRow]) -> Rows:
    """Rows of each side's accuracy, Lava's if it ran, and the chip's difference."""
    ran = any(row.lava is not None for row in accuracy)
    rows = [["images shown", *SIDES.values(), *["on Lava"] * ran, "chip − float"]]
    for row in accuracy:
        lava = (
            f"{_interval(row.lava)}\n{counted(row.lava.images, 'image')}" if row.lava else NOTHING
        )
        rows.append(
            [
                _shown(row),
                *(f"{_interval(row.sides[side])}\n{_every_draw(row, side)}" for side in SIDES),
                *[lava] * ran,
                _points(row.differences["chip_minus_float"]),
            ]
        )
    return rows


def error_rows(errors: Errors) -> Rows:
    """Rows of each side's mean squared error, Lava's if it ran, and the differences."""
    ran = errors.lava is not None
    head = ["", *SIDES.values(), *["on Lava"] * ran, *DIFFERENCES.values()]
    estimates = [*errors.sides.values(), *([errors.lava] if errors.lava else [])]
    cells = [_number(one) for one in estimates]
    cells += [_number(errors.differences[name]) for name in DIFFERENCES]
    return [head, [f"{errors.sides[CHIP].images} inputs", *cells]]


def difference_rows(accuracy: Sequence[AccuracyRow]) -> Rows:
    """Rows of all differences of sides, and of the numbers of images that flip."""
    rows = [["images shown", *DIFFERENCES.values(), *FLIPS.values()]]
    for row in accuracy:
        flips = row.flips
        rows.append(
            [
                _shown(row),
                *(_points(row.differences[name]) for name in DIFFERENCES),
                *(NOTHING if flips is None else str(len(getattr(flips, name))) for name in FLIPS),
            ]
        )
    return rows


def part_rows(accuracy: Sequence[AccuracyRow]) -> Rows:
    """Rows of the parts of attacks that have several, and the shares of images that each made."""
    rows = [["images shown", "made by", "% of the images"]]
    for row in accuracy:
        # A line of the title beside each part, and what is left of it beside the last.
        parts = list(row.made_by.items())
        titles = _shown(row).split("\n", max(0, len(parts) - 1))
        for number, (name, share) in enumerate(parts):
            title = titles[number] if number < len(titles) else ""
            rows.append([title, name, decimal(100 * share, 0)])
    return rows


def exact_rows(exact: Sequence[ExactComparison]) -> Rows:
    """Rows of the runs that were compared, and the numbers of values that differ."""
    rows = [["compared", "images", "seed", "values", "mismatches"]]
    for entry in exact:
        rows.append(
            [
                f"{entry.left} and {entry.right}",
                f"{entry.images} {'attacked' if entry.attack else CLEAN}",
                str(entry.seed),
                f"{entry.compared:,}",
                f"{entry.mismatches:,}",
            ]
        )
    return rows


def distribution_rows(distribution: Distribution | None) -> Rows:
    """Rows of the comparisons in distribution, with their verdicts.

    Of the classes' logits only the one furthest off is shown. The column "±" has the margins.
    """
    rows = [["layer", "quantity", *_two_sides(), "difference, %", "±", "verdict"]]
    if distribution is None:
        return rows
    for name, layer in distribution.layers.items():
        rows += _titled(name, _quantities(layer))
    return rows + _titled("network", _quantities(distribution.network))


def ablation_rows(ablation: Ablation | None) -> Rows:
    """Rows of accuracies in %, differences in points, and relative differences of firing rates.

    Of a regression, rows of mean squared errors and their differences.
    """
    rows = [["alone", "clean", "− float", "attacked", "− float", "firing rates − float, %"]]
    if ablation is None:
        return rows
    for name in (name for name in VARIANTS if name in ablation.variants):
        variant, reference = ablation.variants[name], name == "float"
        rows.append(
            [
                VARIANTS[name],
                *_shown_alone(variant.clean, reference),
                *_shown_alone(variant.attacked, reference),
                NOTHING if reference else "\n".join(_rate(*each) for each in variant.rates.items()),
            ]
        )
    return rows


def name_of(place: Place) -> str:
    """Name of a comparison for people, such as "firing rate of lif1"."""
    if place[0] == "layers":
        return f"{QUANTITIES[place[2]]} of {place[1]}"
    return " ".join(QUANTITIES.get(part, part) for part in place[1:])


def _two_sides() -> tuple[str, str]:
    return SIDES["float"], SIDES[CHIP]


def _titled(title: str, rows: Iterator[list[str]]) -> Rows:
    return [[title if not number else "", *row] for number, row in enumerate(rows)]


def _quantities(compared: LayerDistribution | AnswerDistribution) -> Iterator[list[str]]:
    for field in fields(compared):
        found, quantity = getattr(compared, field.name), QUANTITIES[field.name]
        if field.name == "logit_mean":
            worst = max(found, key=lambda number: _furthest(found[number]))
            quantity, found = f"{quantity} {worst}", found[worst]
        if found is not None:
            below = quantity.endswith(ACROSS)
            yield [f"  {ACROSS}" if below else quantity, *_cells(found)]


def _furthest(entry: Comparison) -> float:
    return max((abs(end) for end in (entry.low, entry.high) if end is not None), default=0.0)


def _cells(entry: Comparison) -> list[str]:
    return [
        decimal(entry.sides[FLOAT], 4),
        decimal(entry.sides[CHIP], 4),
        _difference(entry),
        f"{100 * entry.margin:g}",
        entry.verdict,
    ]


def _difference(entry: Comparison) -> str:
    if entry.difference is None:
        return NOTHING
    text = signed(100 * entry.difference, 2)
    if entry.low is not None and entry.high is not None:
        text += f" [{signed(100 * entry.low, 2)}, {signed(100 * entry.high, 2)}]"
    return text


def _shown(row: AccuracyRow) -> str:
    made_on = [f"made on {SIDES[row.made_on]}"] if row.made_on else []
    return Lines.of(row.attack, *made_on, counted(row.sides[CHIP].images, "image"))


def _interval(estimate: Estimate) -> str:
    low, high = (decimal(100 * end, 1) for end in (estimate.low, estimate.high))
    return f"{in_percent(estimate.value, 1)}\n{low}–{high}"


def _number(estimate: Estimate) -> str:
    return number_interval(estimate).replace(" ", "\n", 1)


def _every_draw(row: AccuracyRow, side: str) -> str:
    return f"all {row.sides[side].trials}: {in_percent(row.every_draw[side].value, 1)}"


def _points(estimate: Estimate) -> str:
    return _signed(estimate, 1, "\n")


def _signed(estimate: Estimate, digits: int, between: str) -> str:
    value, low, high = (100 * end for end in (estimate.value, estimate.low, estimate.high))
    ends = f"[{signed(low, digits)}, {signed(high, digits)}]"
    return f"{signed(value, digits)}{between}{ends}"


def _shown_alone(shown: Shown | None, reference: bool) -> list[str]:
    if shown is None:
        return [NOTHING, NOTHING]
    if shown.error is not None:
        return [_number(shown.error), NOTHING if reference else _number(shown.minus_float)]
    assert shown.accuracy is not None
    return [_interval(shown.accuracy), NOTHING if reference else _points(shown.minus_float)]


def _rate(layer: str, shift: RateShift) -> str:
    found = shift.minus_float
    return f"{layer} {NOTHING if found is None else _signed(found, 2, ' ')}"
