"""Robust accuracy against ε as a figure."""

from pathlib import Path
from typing import TYPE_CHECKING

from stochi.arguments import check_arguments
from stochi.errors import InputError
from stochi.figure_files import find_format, write_figure
from stochi.parity.report.figure import error_bars
from stochi.parity.report.palette import SIDE_COLOURS
from stochi.parity.report.report import ParityReport
from stochi.parity.results import CHIP, CLEAN, FLOAT, SIDES, TWIN, AccuracyRow

if TYPE_CHECKING:  # matplotlib is slow to import
    from matplotlib.axes import Axes

COLUMNS = 3
BESIDE = 0.012
"""Distance between two lines, as a share of the largest ε, so that no interval hides another."""
SHOWN = {side: SIDE_COLOURS[side] for side in (FLOAT, CHIP)}
"""Sides that are drawn, and their colours; the twin has the chip's integers."""
STYLES = {None: "-", FLOAT: "-", TWIN: "--", CHIP: ":"}
"""Line styles by the surface that the attack was made on."""


def draw_robustness(report: ParityReport, path: str | Path) -> None:
    """Draw accuracy against ε with its 95 % intervals.

    There is a panel for each attack, and in it a line for each side and surface, a little beside
    each other. A cross at ε = 0 is a side's clean accuracy.

    Args:
        report: of :func:`check_parity`.
        path: ends in .svg, .pdf or .png, which says the format.

    Raises:
        InputError: the name ends otherwise, or the report has no attack on images.
    """
    check_arguments(draw_robustness, locals())
    find_format(path)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels: dict[str, list[tuple[float, AccuracyRow]]] = {}
    for row in report.accuracy:
        if row.epsilon is not None:
            panels.setdefault(row.title, []).append((row.epsilon, row))
    if not panels:
        raise InputError("the report has no attack on images to draw; run at least one")
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.9 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    clean = next(row for row in report.accuracy if row.attack == CLEAN)
    for axes, title in zip(grid.flat, panels, strict=False):
        _draw(axes, title, panels[title], clean)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    write_figure(figure, path, dpi=130)


def _draw(
    axes: "Axes", title: str, shown: list[tuple[float, AccuracyRow]], clean: AccuracyRow
) -> None:
    surfaces = list(dict.fromkeys(row.made_on for _, row in shown))
    distance = BESIDE * max(epsilon for epsilon, _ in shown)
    for number, made_on in enumerate(surfaces):
        points = sorted(
            ((epsilon, row) for epsilon, row in shown if row.made_on == made_on),
            key=lambda point: point[0],
        )
        where = f", made on {SIDES[made_on]}" if made_on else ""
        for index, (side, color) in enumerate(SHOWN.items()):
            beside = distance * (len(SHOWN) * number + index)
            estimates = [row.sides[side] for _, row in points]
            axes.errorbar(
                [epsilon + beside for epsilon, _ in points],
                [100 * one.value for one in estimates],
                error_bars(estimates),
                fmt=f"o{STYLES[made_on]}",
                color=color,
                capsize=3,
                markersize=4,
                label=f"{SIDES[side]}{where}",
            )
    for side, color in SHOWN.items():
        axes.plot([0], [100 * clean.sides[side].value], "x", color=color)
    axes.set_ylim(0, 102)
    axes.set_xlabel("ε")
    axes.set_ylabel("accuracy, %")
    axes.set_title(f"{title}, {shown[0][1].sides[CHIP].images} images", fontsize=10)
    axes.legend(fontsize=7, handlelength=4)
