"""Reports side by side as a figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stochi.figure_files import find_format, write_figure
from stochi.parity.report.figure import error_bars
from stochi.parity.report.palette import look_of
from stochi.parity.report.report import ParityReport
from stochi.parity.report.tables import RIGHT
from stochi.parity.report.verdict import clean_of, name_shown, strongest
from stochi.parity.results import CHIP, CLEAN, FLOAT, SIDES
from stochi.plain_text import escape_label
from stochi.statistics.intervals import Estimate
from stochi.text_width import wrap_text

if TYPE_CHECKING:  # matplotlib is slow to import
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.2
"""Inches: two columns of a journal's page."""
LINE, AROUND, CURVES = 0.17, 0.85, 2.7
"""Inches of a line of text, of what surrounds a panel, and of a panel of curves."""
LETTERS = 30
"""Letters of a line of the names at the left."""
BESIDE = 0.012
"""Distance between two curves, as a share of the largest ε, so that no interval hides another."""
SPREAD = 0.06
"""The most that the curves of all reports are apart, as such a share."""
SMALL = 8
"""Size of letters, in points."""
SIZES: dict[str, Any] = {"markersize": 4.5, "linewidth": 1.1}
GREY = "0.3"
LINES = {FLOAT: "--", CHIP: "-"}
"""Side → its line; the float model's marks are also hollow."""


@dataclass(frozen=True)
class Line:
    """A report's numbers on one set of inputs.

    Attributes:
        number: of the report, which gives its colour and mark.
        name: the report, and what it was shown.
        sides: of the float model and of the chip.
        difference: chip − float, paired.
    """

    number: int
    name: str
    sides: Mapping[str, Estimate]
    difference: Estimate


@dataclass(frozen=True)
class Panel:
    """Lines of all reports on one kind of inputs.

    Attributes:
        title: the inputs.
        lines: from the top.
        measure, shift: what the axes of numbers and of differences say.
        factor: from a number to what is drawn of it.
    """

    title: str
    lines: Sequence[Line]
    measure: str
    shift: str
    factor: float


def draw_comparison(reports: Mapping[str, ParityReport], path: str | Path) -> None:
    """Draw reports side by side as SVG, PDF or PNG; see :func:`make_comparison`.

    Raises:
        InputError: the name ends otherwise.
    """
    find_format(path)
    write_figure(make_comparison(reports), path, dpi=200)


def make_comparison(reports: Mapping[str, ParityReport]) -> "Figure":
    """Return a figure of each report's answers, with 95 % intervals.

    It has a row of panels for clean images, one for each report's strongest attack, and one for
    the errors of regressions: at the left float model and chip, at the right their paired
    difference. If a report was attacked at several ε, curves follow below.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = _find_panels(reports)
    curved = any(len(_epsilons(report)) > 1 for report in reports.values())
    heights = [AROUND + LINE * sum(map(_lines_of, panel.lines)) for panel in panels]
    heights += [CURVES] * curved
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(len(heights), 2, width_ratios=(3, 2), height_ratios=heights)
    for row, panel in enumerate(panels):
        _draw_panel(figure.add_subplot(grid[row, 0]), figure.add_subplot(grid[row, 1]), panel)
    if curved:
        below = figure.add_subfigure(grid[len(panels), :])
        _draw_curves(below, reports)
    named = {name: number for number, name in enumerate(reports) if _epsilons(reports[name])}
    _draw_legend(figure, named if curved and len(reports) > 1 else {})
    return figure


def lowest_by_epsilon(report: ParityReport, side: str) -> list[tuple[float, Estimate]]:
    """Return (ε, the lowest accuracy of a side under the attacks of that ε), clean images at 0."""
    found: dict[float, Estimate] = {}
    for row in report.accuracy:
        epsilon = 0.0 if row.attack == CLEAN else row.epsilon
        if epsilon is not None:
            one = row.sides[side]
            found[epsilon] = min(found.get(epsilon, one), one, key=lambda each: each.value)
    return sorted(found.items())


def _find_panels(reports: Mapping[str, ParityReport]) -> list[Panel]:
    """Return the panels that have lines."""
    clean, attacked, errors = [], [], []
    for number, (name, report) in enumerate(reports.items()):
        if report.errors is not None:
            found = report.errors
            errors.append(Line(number, name, found.sides, found.differences[RIGHT]))
        row = clean_of(report.accuracy)
        if row is not None:
            clean.append(Line(number, name, row.sides, row.differences[RIGHT]))
        row = strongest(report.accuracy)
        if row is not None:
            shown = f"{name}: {name_shown(row)}"
            attacked.append(Line(number, shown, row.sides, row.differences[RIGHT]))
    points, shift = "accuracy, %", "chip − float, points"
    every = (
        Panel("clean images", clean, points, shift, 100),
        Panel("strongest attack of each report", attacked, points, shift, 100),
        Panel("all inputs", errors, "mean squared error", "chip − float", 1),
    )
    return [panel for panel in every if panel.lines]


def _lines_of(line: Line) -> int:
    """Return the number of lines of text that a line of a panel takes, with the space between."""
    return len(wrap_text(line.name, LETTERS)) + 1


def _draw_panel(left: "Axes", right: "Axes", panel: Panel) -> None:
    top = 0.0
    places, names = [], []
    for line in panel.lines:
        height = _lines_of(line)
        place = top + height / 2
        top += height
        places.append(place)
        names.append(escape_label("\n".join(wrap_text(line.name, LETTERS))))
        for side, beside in ((FLOAT, -0.25), (CHIP, 0.25)):
            _draw_across(left, line.sides[side], panel.factor, place + beside, line.number, side)
        _draw_across(right, line.difference, panel.factor, place, line.number, CHIP)
    right.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    for axes in (left, right):
        axes.set_ylim(top, 0)
        axes.set_yticks(places, names if axes is left else [""] * len(names), fontsize=SMALL)
        axes.grid(axis="x", color="0.9", linewidth=0.6)
        _quieten(axes)
    left.set_title(panel.title, fontsize=SMALL + 1, loc="left")
    left.set_xlabel(panel.measure, fontsize=SMALL)
    right.set_xlabel(panel.shift, fontsize=SMALL)


def _draw_across(
    axes: "Axes", found: Estimate, factor: float, place: float, number: int, side: str
) -> None:
    """Draw a number and its interval from left to right."""
    bars = error_bars([found], factor)
    axes.errorbar([factor * found.value], [place], xerr=bars, **_marked(number, side))


def _draw_curves(figure: Any, reports: Mapping[str, ParityReport]) -> None:
    """Draw accuracy against ε: a panel for each side, or one for both of a single report."""
    shown = [(FLOAT, CHIP)] if len(reports) == 1 else [(FLOAT,), (CHIP,)]
    panels = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
    for axes, sides in zip(panels, shown, strict=True):
        _draw_sides(axes, list(reports.values()), sides)
        title = f"{' and '.join(SIDES[side] for side in sides)}: the lowest at each ε"
        axes.set_title(title, fontsize=SMALL + 1, loc="left")
        axes.set_xlabel("ε", fontsize=SMALL)
        axes.set_ylim(0, 102)
        axes.grid(axis="y", color="0.9", linewidth=0.6)
        _quieten(axes)
    panels[0].set_ylabel("accuracy, %", fontsize=SMALL)


def _draw_sides(axes: "Axes", reports: Sequence[ParityReport], sides: Sequence[str]) -> None:
    """Draw a curve for each attacked report and side, a little beside each other."""
    curves = [
        (number, side, lowest_by_epsilon(report, side))
        for number, report in enumerate(reports)
        for side in sides
        if _epsilons(report)
    ]
    largest = max(epsilon for report in reports for epsilon in _epsilons(report))
    distance = min(BESIDE, SPREAD / len(curves)) * largest
    for place, (number, side, points) in enumerate(curves):
        estimates = [one for _, one in points]
        axes.errorbar(
            [epsilon + distance * place for epsilon, _ in points],
            [100 * one.value for one in estimates],
            error_bars(estimates),
            linestyle=LINES[side],
            **_marked(number, side),
        )


def _epsilons(report: ParityReport) -> set[float]:
    """Return the ε at which a report has attacks."""
    return {row.epsilon for row in report.accuracy if row.epsilon is not None}


def _marked(number: int, side: str) -> dict[str, Any]:
    """Return how a report's marks and intervals look: hollow for the float model."""
    colour, mark = look_of(number)
    face = "white" if side == FLOAT else colour
    look = {"marker": mark, "color": colour, "markerfacecolor": face}
    return {**look, **SIZES, "elinewidth": 1.0, "capsize": 2.0}


def _quieten(axes: "Axes") -> None:
    axes.tick_params(labelsize=SMALL)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_legend(figure: "Figure", named: Mapping[str, int]) -> None:
    """Tell the sides by their marks, and reports by their colours if there are curves.

    Args:
        named: name of a report that has a curve → its number.
    """
    from matplotlib.lines import Line2D

    handles = []
    for side in (FLOAT, CHIP):
        face = "white" if side == FLOAT else GREY
        look: dict[str, Any] = {
            "linestyle": LINES[side],
            "marker": look_of(0)[1],
            "markerfacecolor": face,
        }
        handles.append(Line2D([], [], color=GREY, label=SIDES[side], **SIZES, **look))
    for name, number in named.items():
        colour, mark = look_of(number)
        label = escape_label(_shortened(name))
        handles.append(Line2D([], [], linestyle="", marker=mark, color=colour, label=label))
    figure.legend(
        handles=handles,
        loc="outside lower center",
        title="with 95 % intervals",
        ncols=4,
        fontsize=SMALL,
        title_fontsize=SMALL,
        frameon=False,
    )


def _shortened(name: str) -> str:
    """Return the first line of a name, with an ellipsis if there are more."""
    first, *more = wrap_text(name, LETTERS - 1) or [""]
    return f"{first}…" if more else first
