"""The parity report as a figure."""

from pathlib import Path

from stochi.files import written_aside
from stochi.sim.report import SIDES, ParityReport


def draw_report(report: ParityReport, path: str | Path) -> None:
    """Accuracies with their intervals, and firing rates by layer, as a PNG."""
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
    names = list(report.firing_rates)
    for index, side in enumerate(("float", "chip")):
        right.bar(
            [place + (index - 0.5) * 0.4 for place in range(len(names))],
            [report.firing_rates[name][side] for name in names],
            0.4,
            label={"float": "GPU float", "chip": "chip"}[side],
            color=["C0", "C2"][index],
        )
    right.set_xticks(range(len(names)), names, fontsize=8)
    right.set_ylabel("spikes per neuron and step")
    right.set_title("firing rates by layer")
    right.legend(fontsize=8)
    with written_aside(path) as aside:
        figure.savefig(aside, format="png", dpi=130)
