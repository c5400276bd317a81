"""A report's results as rows of text; the first row is the head."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields

from stochi.parity.distribution.results import (
    AnswerDistribution,
    Comparison,
    Distribution,
    LayerDistribution,
)
from stochi.parity.report.quantities import QUANTITIES
from stochi.parity.report.randomness import is_judged
from stochi.parity.results import (
    CHIP,
    CLEAN,
    FLOAT,
    SIDES,
    TWIN,
    AccuracyRow,
    Errors,
    ExactComparison,
)
from stochi.parity.words import interval_lines, number_lines, points_lines
from stochi.plain_text import Lines, counted, decimal, in_percent, signed

Rows = list[list[str]]
ACCURACY_TITLE = "Accuracy (95 % intervals over images), and share right in all trials"
ERRORS_TITLE = "Mean squared error (95 % intervals over inputs)"
PARTS_TITLE = "Which part of an attack made the images"
DIFFERENCES_TITLE = "Differences in points (95 % paired intervals), and number of images that flip"
FLIPS_TITLE = "Number of images that flip"
EXACT_TITLE = "Value for value"
DISTRIBUTION_TITLE = "In distribution (90 % intervals over images; margins, ±, in %)"
CHIP_MINUS_FLOAT = "chip − float"
RIGHT = "chip_minus_float"
DIFFERENCES = {
    RIGHT: CHIP_MINUS_FLOAT,
    "twin_minus_float": "twin − float",
    "chip_minus_twin": "chip − twin",
}
FLIPS = {"float_only": "flip: float", "chip_only": "flip: chip", "both": "flip: both"}
ACROSS = "across sides"
"""End of the names of quantities that compare a run of each side, below their own in tables."""
NOTHING = "–"
_TWIN_IS_CHIP = {FLOAT: SIDES[FLOAT], CHIP: f"{SIDES[TWIN]}, {SIDES[CHIP]}"}
"""Names of the sides if the twin answers as the chip does."""


def accuracy_rows(accuracy: Sequence[AccuracyRow]) -> Rows:
    """Rows of the chip's difference, each side's accuracy, and Lava's if it ran.

    The twin and the chip share a column if they are right equally often in every row.
    """
    ran = any(row.lava is not None for row in accuracy)
    sides = _TWIN_IS_CHIP if twin_is_chip(accuracy) else SIDES
    rows = [["images shown", CHIP_MINUS_FLOAT, *sides.values(), *["on Lava"] * ran]]
    for row in accuracy:
        lava = (
            f"{interval_lines(row.lava)}\n{counted(row.lava.images, 'image')}"
            if row.lava
            else NOTHING
        )
        rows.append(
            [
                _shown(row),
                points_lines(row.differences[RIGHT]),
                *(f"{interval_lines(row.sides[side])}\n{_every_draw(row, side)}" for side in sides),
                *[lava] * ran,
            ]
        )
    return rows


def twin_is_chip(accuracy: Sequence[AccuracyRow]) -> bool:
    """Return whether twin and chip are right equally often on all images, as they should be."""
    return all(
        row.sides[TWIN] == row.sides[CHIP] and row.every_draw[TWIN] == row.every_draw[CHIP]
        for row in accuracy
    )


def error_rows(errors: Errors) -> Rows:
    """Rows of the differences, each side's mean squared error, and Lava's if it ran.

    The twin and the chip share a column if their errors are written alike; sums of floats differ.
    """
    equal = number_lines(errors.sides[TWIN]) == number_lines(errors.sides[CHIP])
    sides = _TWIN_IS_CHIP if equal else SIDES
    differences = {RIGHT: CHIP_MINUS_FLOAT} if equal else DIFFERENCES
    ran = errors.lava is not None
    head = ["", *differences.values(), *sides.values(), *["on Lava"] * ran]
    estimates = [errors.differences[name] for name in differences]
    estimates += [errors.sides[side] for side in sides]
    estimates += [errors.lava] if errors.lava else []
    return [head, [f"{errors.sides[CHIP].images} inputs", *map(number_lines, estimates)]]


def difference_rows(accuracy: Sequence[AccuracyRow]) -> Rows:
    """Rows of what :func:`accuracy_rows` lacks: differences of the twin, and images that flip.

    A column that says nothing in any row is left out, and so are all if twin and chip are equal and
    there was no attack.
    """
    names = [] if twin_is_chip(accuracy) else list(DIFFERENCES)
    flips = FLIPS if any(row.flips is not None for row in accuracy) else {}
    if not names and not flips:
        return [["images shown"]]
    rows = [["images shown", *(DIFFERENCES[name] for name in names), *flips.values()]]
    for row in accuracy:
        found = row.flips
        if found is not None or names:
            cells = [points_lines(row.differences[name]) for name in names]
            cells += [
                NOTHING if found is None else str(len(getattr(found, kind))) for kind in flips
            ]
            rows.append([_shown(row), *cells])
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
    """Rows of the comparisons in distribution, each layer's below its name, with their verdicts.

    Of the classes' logits only the one furthest off is shown. A margin stands beside the verdict.
    """
    rows = [["layer, quantity", "verdict", "difference, %", FLOAT, CHIP]]
    if distribution is None:
        return rows
    for name, layer in distribution.layers.items():
        judged = functools.partial(is_judged, layer)
        rows += [[name, "", "", "", ""], *_quantities(layer, judged)]
    network = _quantities(distribution.network, lambda _: True)
    return [*rows, ["network", "", "", "", ""], *network]


def _quantities(
    compared: LayerDistribution | AnswerDistribution, judged: Callable[[str], bool]
) -> Iterator[list[str]]:
    for field in fields(compared):
        found, quantity = getattr(compared, field.name), QUANTITIES[field.name]
        if field.name == "logit_mean":
            worst = max(found, key=lambda number: _furthest(found[number]))
            quantity, found = f"{quantity} {worst}", found[worst]
        if found is not None:
            name = f"  {ACROSS}" if quantity.endswith(ACROSS) else quantity
            verdict = f"{found.verdict} ±{100 * found.margin:g}"
            sides = (decimal(found.sides[side], 4) for side in (FLOAT, CHIP))
            shown = verdict if judged(field.name) else NOTHING
            yield [f" {name}", shown, _difference(found), *sides]


def _furthest(entry: Comparison) -> float:
    return max((abs(end) for end in (entry.low, entry.high) if end is not None), default=0.0)


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


def _every_draw(row: AccuracyRow, side: str) -> str:
    return f"all {row.sides[side].trials}: {in_percent(row.every_draw[side].value, 1)}"
