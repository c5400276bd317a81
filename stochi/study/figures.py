"""A study's curves and similarities as figures."""

from pathlib import Path

from stochi.files import written_aside
from stochi.study.plan import NEURONS
from stochi.study.results import Cell
from stochi.study.tables import PLACES

AXES = {"epsilon": "ε", "steps": "PGD steps", "draws": "EOT draws", "sigma": "σ"}
STYLES = dict(zip(PLACES, ("-", "--", "-.", ":"), strict=True))
COLOURS = {name: f"C{number}" for number, name in enumerate(NEURONS)}


def draw_curves(cells: list[Cell], path: str | Path) -> None:
    """Accuracy under PGD against what is varied; a row for each defence."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    defences = list(dict.fromkeys(cell["defence"] for cell in cells))
    figure = Figure(figsize=(15, 1 + 3.4 * len(defences)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(defences), len(AXES), squeeze=False, sharey=True)
    for row, defence in enumerate(defences):
        for axis, (name, label) in zip(axes[row], AXES.items(), strict=True):
            here = [c for c in cells if c["defence"] == defence and c["axis"] == name]
            for network, place in dict.fromkeys((c["network"], c["place"]) for c in here):
                line = [c for c in here if (c["network"], c["place"]) == (network, place)]
                line.sort(key=lambda cell: cell["at"])
                at = [cell["at"] for cell in line]
                axis.plot(
                    at,
                    [100 * cell["value"] for cell in line],
                    STYLES[place],
                    color=COLOURS[network],
                    marker=".",
                    label=f"{network}, {PLACES[place]}",
                )
                if place == "float":
                    low, high = ([100 * cell[end] for cell in line] for end in ("low", "high"))
                    axis.fill_between(at, low, high, color=COLOURS[network], alpha=0.12)
            axis.set_xscale("log")
            axis.minorticks_off()
            at = sorted({cell["at"] for cell in here})
            axis.set_xticks(at, [f"{value:.2g}" for value in at], rotation=45)
            axis.set_xlabel(label)
            axis.set_ylim(0, 100)
        axes[row][0].set_ylabel(f"accuracy under PGD, %\ntrained with: {defence}")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=8)
    with written_aside(path) as aside:
        figure.savefig(aside, format="png", dpi=110)


def draw_similarities(cells: list[Cell], path: str | Path) -> None:
    """How cosines between draws are distributed over images."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 1 + 0.42 * len(cells)), layout="constrained")
    FigureCanvasAgg(figure)
    names = [f"{cell['network']}, {cell['defence']}" for cell in cells]
    axes = figure.subplots(1, 2, sharey=True)
    for axis, what in zip(axes, ("gradient", "perturbation"), strict=True):
        axis.boxplot([cell[what] for cell in cells], orientation="horizontal", whis=(5, 95))
        axis.set_xlabel(f"cosine between the {what}s of two draws, by image")
        axis.set_xlim(-0.2, 1.05)
    axes[0].set_yticks(range(1, len(names) + 1), names)
    axes[0].invert_yaxis()
    with written_aside(path) as aside:
        figure.savefig(aside, format="png", dpi=110)
