"""Robust accuracy against ε as a figure."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stochi.errors import InputError
from stochi.files import written_aside
from stochi.sim.report import SIDES, ParityReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 3
BESIDE = 0.012
"""Between two lines, as a share of the largest ε: else their intervals would hide each other."""
SHOWN = {"float": "C0", "chip": "C2"}
"""The sides that are drawn; the hardware-aware model has the chip's integers."""
STYLES = {None: "-", "float": "-", "hardware_aware": "--", "chip": ":"}
"""By the surface that the attack was made on."""


def draw_robustness(report: ParityReport, path: str | Path) -> None:
    """Accuracy against ε with its 95 % intervals, as a PNG.

    There is a panel for each attack, and in it a line for each side and surface, a little beside
    each other. A cross at ε = 0 is a side's clean accuracy.

    Raises:
        InputError: the report has no attack on images.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels: dict[str, list[dict[str, Any]]] = {}
    for entry in report.accuracy:
        if entry["epsilon"] is not None:
            name = entry["attack"].removesuffix(f", ε = {entry['epsilon']:g}")
            panels.setdefault(name, []).append(entry)
    if not panels:
        raise InputError("the report has no attack on images to draw; run at least one")
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.9 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    clean = next(entry for entry in report.accuracy if entry["attack"] == "clean")
    for axes, name in zip(grid.flat, panels, strict=False):
        _draw(axes, name, panels[name], clean)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    with written_aside(path) as aside:
        figure.savefig(aside, format="png", dpi=130)


def _draw(axes: "Axes", name: str, entries: list[dict[str, Any]], clean: dict[str, Any]) -> None:
    surfaces = list(dict.fromkeys(entry["made_on"] for entry in entries))
    step = BESIDE * max(entry["epsilon"] for entry in entries)
    for number, made_on in enumerate(surfaces):
        points = sorted(
            (entry for entry in entries if entry["made_on"] == made_on),
            key=lambda entry: entry["epsilon"],
        )
        where = f", made on {SIDES[made_on]}" if made_on else ""
        for index, (side, color) in enumerate(SHOWN.items()):
            beside = step * (len(SHOWN) * number + index)
            values = [100 * entry[side]["value"] for entry in points]
            errors = [
                [100 * (entry[side]["value"] - entry[side]["low"]) for entry in points],
                [100 * (entry[side]["high"] - entry[side]["value"]) for entry in points],
            ]
            axes.errorbar(
                [entry["epsilon"] + beside for entry in points],
                values,
                errors,
                fmt=f"o{STYLES[made_on]}",
                color=color,
                capsize=3,
                markersize=4,
                label=f"{SIDES[side]}{where}",
            )
    for side, color in SHOWN.items():
        axes.plot([0], [100 * clean[side]["value"]], "x", color=color)
    axes.set_ylim(0, 102)
    axes.set_xlabel("ε")
    axes.set_ylabel("accuracy, %")
    axes.set_title(f"{name}, {entries[0]['chip']['images']} images", fontsize=10)
    axes.legend(fontsize=7, handlelength=4)
