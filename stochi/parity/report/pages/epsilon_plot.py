"""Accuracy against ε."""

from collections.abc import Sequence

from markupsafe import Markup

from stochi.parity.report.pages.svg import (
    WIDTH,
    Scale,
    drawing,
    element,
    legend,
    line,
    text,
    tick_text,
)
from stochi.parity.results import CHIP, FLOAT, SIDES, AccuracyRow
from stochi.parity.words import percent_interval

LEFT, RIGHT, HEIGHT = 44.0, WIDTH - 14.0, 220.0
BESIDE = 4.0
"""Distance between the two sides' marks, so that no interval hides the other."""


def plot_epsilons(
    key: str, title: str, rows: Sequence[AccuracyRow], clean: AccuracyRow | None
) -> Markup:
    """Draw the accuracies of one attack on one surface, of float model and chip.

    Args:
        rows: of the same attack, each with its ε.
        clean: what is right without it, drawn at ε = 0.
    """
    points = [(row.epsilon or 0.0, row) for row in rows] + ([] if clean is None else [(0.0, clean)])
    points.sort(key=lambda point: point[0])
    across = Scale([0.0, *(epsilon for epsilon, _ in points)], LEFT, RIGHT)
    marks, top = legend([(side, SIDES[side]) for side in (FLOAT, CHIP)], 18)
    up = Scale([0.0, 100.0], top + HEIGHT, top + 6)
    shown = _frame(across, up, top)
    described = []
    for number, side in enumerate((FLOAT, CHIP)):
        beside = (number - 0.5) * BESIDE
        places, dots = [], []
        for epsilon, row in points:
            found = row.sides[side]
            words = f"{SIDES[side]}, ε = {epsilon:g}: {percent_interval(found)} % right"
            x, y = across(epsilon) + beside, up(100 * found.value)
            places.append(f"{x:.1f},{y:.1f}")
            dots.append(
                element(
                    "g",
                    element("title", words),
                    line(x, up(100 * found.low), x, up(100 * found.high), "interval"),
                    element("circle", cx=x, cy=y, r=5.0),
                )
            )
            described.append(words)
        path = element("polyline", points=" ".join(places), class_="course")
        shown.append(element("g", path, *dots, class_=side))
    return drawing(key, title, "; ".join(described), top + HEIGHT + 44, *marks, *shown)


def _frame(across: Scale, up: Scale, top: float) -> list[Markup]:
    bottom = top + HEIGHT
    shown = []
    for tick in up.ticks():
        shown.append(line(LEFT, up(tick), RIGHT, up(tick), "grid"))
        shown.append(text(LEFT - 6, up(tick) + 4, tick_text(tick), "end", "tick"))
    for tick in across.ticks(6):
        shown.append(text(across(tick), bottom + 16, tick_text(tick), "middle", "tick"))
    shown.append(line(LEFT, bottom, RIGHT, bottom, "axis"))
    shown.append(text((LEFT + RIGHT) / 2, bottom + 36, "ε; upwards: % right", "middle", "tick"))
    return shown
