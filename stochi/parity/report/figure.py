"""The parity report as a figure."""

from pathlib import Path
from typing import TYPE_CHECKING

from stochi.arguments import check_arguments
from stochi.figure_files import find_format, write_figure
from stochi.parity.distribution.results import Distribution
from stochi.parity.report.palette import BLUE, GREEN, SIDE_COLOURS
from stochi.parity.report.report import ParityReport
from stochi.parity.results import SIDES, Errors
from stochi.plain_text import counted, escape_label
from stochi.statistics.intervals import Estimate

if TYPE_CHECKING:  # matplotlib is slow to import
    from matplotlib.axes import Axes


def draw_report(report: ParityReport, path: str | Path) -> None:
    """Draw accuracies or errors, and each layer's firing rates, with intervals.

    Args:
        report: of :func:`check_parity`.
        path: ends in .svg, .pdf or .png, which says the format.

    Raises:
        InputError: the name ends otherwise.
    """
    check_arguments(draw_report, locals())
    find_format(path)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    if report.errors is not None:
        _draw_errors(left, report.errors)
    else:
        _draw_accuracies(left, report)
    left.set_title(f"{report.mismatches:,} mismatches in {report.compared:,} compared values")
    if report.distribution is not None:
        _draw_rates(right, report.distribution)
    write_figure(figure, path, dpi=130)


def error_bars(estimates: list[Estimate], factor: float = 100) -> list[list[float]]:
    """Lengths of error bars, downwards and upwards, in %, or times another factor."""
    return [
        [factor * (one.value - one.low) for one in estimates],
        [factor * (one.high - one.value) for one in estimates],
    ]


def _draw_errors(axes: "Axes", errors: Errors) -> None:
    estimates = [errors.sides[side] for side in SIDES]
    values = [one.value for one in estimates]
    bars, colours = error_bars(estimates, 1), [SIDE_COLOURS[side] for side in SIDES]
    axes.bar(range(len(SIDES)), values, 0.6, yerr=bars, capsize=2, color=colours)
    axes.set_xticks(range(len(SIDES)), list(SIDES.values()), fontsize=8)
    axes.set_ylabel("mean squared error")


def _draw_accuracies(axes: "Axes", report: ParityReport) -> None:
    width = 0.8 / len(SIDES)
    labels = [
        escape_label(row.attack).replace(", ", "\n")
        + (f"\nmade on {SIDES[row.made_on]}" if row.made_on else "")
        for row in report.accuracy
    ]
    for index, (side, label) in enumerate(SIDES.items()):
        places = [place + (index - 1) * width for place in range(len(labels))]
        estimates = [row.sides[side] for row in report.accuracy]
        values, errors = [100 * one.value for one in estimates], error_bars(estimates)
        color = SIDE_COLOURS[side]
        axes.bar(places, values, width, yerr=errors, capsize=2, color=color, label=label)
    axes.set_xticks(range(len(labels)), labels, fontsize=8)
    axes.set_ylabel("accuracy, %")
    axes.set_ylim(0, 125)
    axes.set_yticks(range(0, 101, 20))
    axes.legend(fontsize=8, loc="upper right")


def _draw_rates(axes: "Axes", distribution: Distribution) -> None:
    """The chip's firing rates against the float model's, by layer, in the margin's band."""
    compared = {
        name: (layer.rate.difference, layer.rate.high)
        for name, layer in distribution.layers.items()
        if layer.rate is not None
        and layer.rate.difference is not None
        and layer.rate.high is not None
    }
    margin = 100 * distribution.margins.rate
    axes.axhspan(-margin, margin, color=GREEN, alpha=0.15, label=f"margin, ±{margin:g} %")
    axes.axhline(0, color="0.6", linewidth=0.8)
    values = [100 * difference for difference, _ in compared.values()]
    errors = [100 * (high - difference) for difference, high in compared.values()]
    places = range(len(compared))
    axes.errorbar(places, values, errors, fmt="o", capsize=4, color=BLUE, label="90 % interval")
    axes.set_xticks(places, list(map(escape_label, compared)), fontsize=8)
    axes.set_xlim(-0.6, len(compared) - 0.4)
    axes.set_ylabel("chip − float model, % of the rate")
    axes.set_title(f"firing rates by layer, {counted(distribution.trials, 'trial')}")
    axes.legend(fontsize=8)
