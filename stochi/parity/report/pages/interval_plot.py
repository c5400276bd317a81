"""Values with their intervals in rows, one figure for every kind of comparison."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from stochi.parity.report.pages.svg import (
    LETTER,
    WIDTH,
    Scale,
    drawing,
    element,
    legend,
    line,
    text,
    tick_text,
)

LEFT, RIGHT, STEP = 14.0, WIDTH - 14.0, 17.0
LINE = 16.0
"""Distance of two lines of a label."""


@dataclass(frozen=True)
class Point:
    """A value with its interval; ``words`` are shown for it on hovering."""

    series: str
    value: float
    low: float
    high: float
    words: str


@dataclass(frozen=True)
class Group:
    """Values that belong together, under a label; ``layer`` is the one that they are of."""

    label: str
    points: Sequence[Point]
    layer: str | None = None


def plot_intervals(
    key: str,
    title: str,
    unit: str,
    groups: Sequence[Group],
    names: Mapping[str, str],
    *,
    margin: float | None = None,
    zero: bool = False,
) -> Markup:
    """Draw groups of values below each other, each with the line of its interval.

    Args:
        key: name of the figure on the page.
        unit: of the axis.
        names: series, which is also the class of its colour → its name for people.
        margin: half the width of a band around 0 of what does not matter.
        zero: whether a line is drawn at 0.
    """
    ends = [end for group in groups for p in group.points for end in (p.value, p.low, p.high)]
    ends += [0.0] * zero + ([-margin, margin] if margin is not None else [])
    scale = Scale(ends, LEFT, RIGHT)
    marks, y = legend(list(names.items()), 18) if len(names) > 1 else ([], 0.0)
    top = y + 8
    rows: list[Markup] = []
    y = top
    for group in groups:
        label = _lines_of(group.label.replace("\n", ", "))
        inside = [
            text(LEFT, y + 15 + LINE * number, words, class_="label")
            for number, words in enumerate(label)
        ]
        y += 4 + LINE * len(label)
        inside += [
            _draw(point, scale, y + STEP * (place + 0.5))
            for place, point in enumerate(group.points)
        ]
        rows.append(element("g", *inside, data_layer=group.layer))
        y += STEP * len(group.points) + 8
    frame = _frame(scale, top, y, unit, margin, zero)
    described = "; ".join(p.words for group in groups for p in group.points)
    lines = len(_lines_of(unit))
    return drawing(key, title, f"{unit}. {described}", y + 26 + 18 * lines, *frame, *marks, *rows)


def _frame(
    scale: Scale, top: float, bottom: float, unit: str, margin: float | None, zero: bool
) -> list[Markup]:
    shown = []
    if margin is not None:
        left, right = scale(-margin), scale(margin)
        shown.append(
            element("rect", x=left, y=top, width=right - left, height=bottom - top, class_="margin")
        )
    for tick in scale.ticks():
        place = scale(tick)
        shown.append(line(place, top, place, bottom, "grid"))
        shown.append(text(place, bottom + 16, tick_text(tick), "middle", "tick"))
    if zero:
        shown.append(line(scale(0), top, scale(0), bottom, "zero"))
    shown.append(line(LEFT, bottom, RIGHT, bottom, "axis"))
    for number, words in enumerate(_lines_of(unit)):
        place = bottom + 36 + 18 * number
        shown.append(text((LEFT + RIGHT) / 2, place, words, "middle", "tick"))
    return shown


def _lines_of(words: str) -> list[str]:
    return textwrap.wrap(words, int((RIGHT - LEFT) / LETTER)) or [""]


def _draw(point: Point, scale: Scale, y: float) -> Markup:
    return element(
        "g",
        element("title", point.words),
        line(scale(point.low), y, scale(point.high), y, "interval"),
        element("circle", cx=scale(point.value), cy=y, r=5.0),
        # What can be hovered is larger than what is seen.
        element("rect", x=LEFT, y=y - 8, width=RIGHT - LEFT, height=16.0, class_="target"),
        class_=point.series,
    )
