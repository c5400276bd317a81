"""What depth changes, as figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stochi.figure_files import write_figure
from stochi.study.claims import mean_cosine
from stochi.study.plan import StudyPlan
from stochi.study.results import DepthPoint, SimilarityCell
from stochi.study.variants import OWN, Variant
from stochi.train.deep_networks.catalogue import DEEP_NETWORKS

if TYPE_CHECKING:  # matplotlib is slow to import
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AXES = {
    "random_layers": "random layers",
    "sigma": "σ",
    "time_steps": "time steps",
    "width": "width",
}
STYLES = {"untrained": ":", "none": "--"}
"""Line of a defence in training; others have a solid one."""


def own_variant(plan: StudyPlan) -> Variant:
    """Return where the networks that were trained stand on the axes."""
    training = plan.training
    layers = DEEP_NETWORKS[training.network].layers
    return Variant(layers, 1.0, training.time_steps, training.width)


def draw_cosines(cells: Sequence[SimilarityCell], own: Variant, path: str | Path) -> None:
    """Draw the cosines between draws against what is varied, as a PNG.

    Args:
        own: values of the networks that were trained, which stand on every axis.
    """
    write_figure(make_cosines(cells, own), path, dpi=110)


def make_cosines(cells: Sequence[SimilarityCell], own: Variant) -> "Figure":
    """Return the figure of :func:`draw_cosines`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    axes = [axis for axis in AXES if any(axis in cell.variant.to_json() for cell in cells)]
    figure = Figure(figsize=(3.6 * len(axes) + 2.5, 6.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, len(axes), squeeze=False, sharey=True, sharex="col")
    for row, what in zip(panels, ("gradient", "perturbation"), strict=True):
        for panel, axis in zip(row, axes, strict=True):
            _draw_axis(panel, cells, axis, getattr(own, axis), what)
        row[0].set_ylabel(f"cosine between {what}s")
        row[0].set_ylim(0, 1.02)
    for panel, axis in zip(panels[1], axes, strict=True):
        panel.set_xlabel(AXES[axis])
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=8)
    return figure


def _draw_axis(
    panel: "Axes", cells: Sequence[SimilarityCell], axis: str, own: float, what: str
) -> None:
    """Draw a line for each network and defence, with the 95 % interval of its mean over images."""
    networks = list(dict.fromkeys(cell.network for cell in cells))
    places: set[float] = set()
    for network, defence in dict.fromkeys((cell.network, cell.defence) for cell in cells):
        line = []
        for cell in cells:
            value = own if cell.variant == OWN else getattr(cell.variant, axis)
            if (cell.network, cell.defence) == (network, defence) and value is not None:
                line.append((value, mean_cosine(getattr(cell, what))))
        line.sort(key=lambda point: point[0])
        at = [value for value, _ in line]
        places.update(at)
        panel.errorbar(
            at,
            [mean.value for _, mean in line],
            [
                [mean.value - mean.low for _, mean in line],
                [mean.high - mean.value for _, mean in line],
            ],
            linestyle=STYLES.get(defence, "-"),
            color=f"C{networks.index(network)}",
            marker=".",
            label=f"{network}, {defence}",
        )
    if axis != "random_layers":
        panel.set_xscale("log", base=2)
    panel.set_xticks(sorted(places), [f"{value:g}" for value in sorted(places)])
    panel.minorticks_off()


def draw_draws(points: Sequence[DepthPoint], path: str | Path) -> None:
    """Draw accuracy under attack against EOT draws and random layers, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    networks = list(dict.fromkeys(point.network for point in points))
    figure = Figure(figsize=(4.2 * len(networks) + 1, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(networks), squeeze=False, sharey=True)[0]
    for panel, network in zip(panels, networks, strict=True):
        _draw_layers(panel, [point for point in points if point.network == network])
        panel.set_title(network)
        panel.set_xlabel("EOT draws")
    panels[0].set_ylabel("accuracy under attack, %")
    panels[0].set_ylim(bottom=0)
    panels[-1].legend(fontsize=8)
    write_figure(figure, path, dpi=110)


def _draw_layers(panel: "Axes", points: Sequence[DepthPoint]) -> None:
    for variant in dict.fromkeys(point.variant for point in points):
        line, layers = [p for p in points if p.variant == variant], variant.random_layers
        at = [point.draws for point in line]
        name = "all layers random" if layers is None else f"random layers: {layers}"
        panel.plot(at, [100 * point.accuracy.value for point in line], marker=".", label=name)
        low = [100 * point.accuracy.low for point in line]
        high = [100 * point.accuracy.high for point in line]
        panel.fill_between(at, low, high, alpha=0.1)
    panel.set_xscale("log")
    ticks = sorted({point.draws for point in points})
    panel.set_xticks(ticks, [str(count) for count in ticks])
    panel.minorticks_off()
