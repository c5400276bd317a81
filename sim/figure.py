"""The parity report as a figure."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stochi.files import written_aside
from stochi.sim.report import SIDES, ParityReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_report(report: ParityReport, path: str | Path) -> None:
    """Accuracies with their intervals, and firing rates by layer with theirs, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    width = 0.8 / len(SIDES)
    labels = [
        entry["attack"].replace(", ", "\n")
        + (f"\nmade on {SIDES[entry['made_on']]}" if entry["made_on"] else "")
        for entry in report.accuracy
    ]
    for index, (side, label) in enumerate(SIDES.items()):
        places = [place + (index - 1) * width for place in range(len(labels))]
        values = [100 * entry[side]["value"] for entry in report.accuracy]
        errors = [
            [100 * (entry[side]["value"] - entry[side]["low"]) for entry in report.accuracy],
            [100 * (entry[side]["high"] - entry[side]["value"]) for entry in report.accuracy],
        ]
        left.bar(places, values, width, yerr=errors, capsize=2, label=label)
    left.set_xticks(range(len(labels)), labels, fontsize=8)
    left.set_ylabel("accuracy, %")
    left.set_ylim(0, 125)
    left.set_yticks(range(0, 101, 20))
    left.legend(fontsize=8, loc="upper right")
    left.set_title(f"{report.mismatches:,} mismatches in {report.compared:,} compared values")
    if report.distribution is not None:
        _draw_rates(right, report.distribution)
    with written_aside(path) as aside:
        figure.savefig(aside, format="png", dpi=130)


def _draw_rates(axes: "Axes", distribution: dict[str, Any]) -> None:
    """The chip's firing rates against the float model's, layer by layer, in the margin's band."""
    compared = {
        name: layer["rate"]
        for name, layer in distribution["layers"].items()
        if "rate" in layer and layer["rate"]["low"] is not None
    }
    margin = 100 * distribution["margins"]["rate"]
    axes.axhspan(-margin, margin, color="C2", alpha=0.15, label=f"margin, ±{margin:g} %")
    axes.axhline(0, color="0.6", linewidth=0.8)
    values = [100 * rate["difference"] for rate in compared.values()]
    errors = [100 * (rate["high"] - rate["difference"]) for rate in compared.values()]
    places = range(len(compared))
    axes.errorbar(places, values, errors, fmt="o", capsize=4, color="C0", label="90 % interval")
    axes.set_xticks(places, list(compared), fontsize=8)
    axes.set_xlim(-0.6, len(compared) - 0.4)
    axes.set_ylabel("chip − GPU float, % of the rate")
    axes.set_title(f"firing rates by layer, {distribution['trials']} trials")
    axes.legend(fontsize=8)
