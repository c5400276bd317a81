"""A study's curves and cosines as figures."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stochi.figure_files import write_figure
from stochi.study.curves import Point, draw_lines
from stochi.study.results import CurvePoint, SimilarityCell

if TYPE_CHECKING:  # matplotlib is slow to import
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AXES = {"epsilon": "ε", "iterations": "iterations", "draws": "EOT draws", "sigma": "σ"}


def draw_curves(points: Sequence[CurvePoint], path: str | Path) -> None:
    """Draw accuracy under attack against what is varied, one row for each defence, as a PNG."""
    write_figure(make_curves(points), path, dpi=110)


def make_curves(points: Sequence[CurvePoint]) -> "Figure":
    """Return the figure of :func:`draw_curves`; all panels have one scale, from 0."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    defences = list(dict.fromkeys(point.defence for point in points))
    figure = Figure(figsize=(15, 1 + 3.4 * len(defences)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(defences), len(AXES), squeeze=False, sharey=True)
    for row, defence in zip(panels, defences, strict=True):
        for panel, (axis, label) in zip(row, AXES.items(), strict=True):
            here = [p for p in points if (p.defence, p.axis) == (defence, axis)]
            _draw_panel(panel, here, label)
        row[0].set_ylabel(f"accuracy under attack, %\ntrained with: {defence}")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=8)
    highest = max(point.accuracy.high for point in points)
    panels[0][0].set_ylim(0, 10 * math.ceil(10 * highest))
    return figure


def _draw_panel(panel: "Axes", points: Sequence[CurvePoint], label: str) -> None:
    """Draw a line for each network and place."""
    ticks = draw_lines(panel, [Point(p.network, p.place, p.at, p.accuracy) for p in points])
    names = [f"{value:.2g}" if value < 1 else f"{value:g}" for value in ticks]
    panel.set_xticks(ticks, names, rotation=45)
    panel.set_xlabel(label)


def draw_similarities(cells: Sequence[SimilarityCell], path: str | Path) -> None:
    """Draw how the cosines between draws are distributed over images, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 1 + 0.42 * len(cells)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2, sharey=True)
    cosines = {
        "gradient": [cell.gradient for cell in cells],
        "perturbation": [cell.perturbation for cell in cells],
    }
    for panel, (what, values) in zip(panels, cosines.items(), strict=True):
        panel.boxplot(values, orientation="horizontal", whis=(5, 95))
        panel.set_xlabel(f"cosine between the {what}s of two draws, by image")
        panel.set_xlim(-0.2, 1.05)
    names = [f"{cell.network}, {cell.defence}" for cell in cells]
    panels[0].set_yticks(range(1, len(names) + 1), names)
    panels[0].invert_yaxis()
    write_figure(figure, path, dpi=110)
