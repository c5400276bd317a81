"""The table of stand-ins as a figure: each difference with its interval, beside its margin."""

from pathlib import Path

from matplotlib.figure import Figure

from stochi.parity.distribution.results import Comparison

Columns = dict[str, tuple[float, dict[str, Comparison]]]
"""Title → units per 1, and stand-in → its comparison."""


def draw_stand_ins(found: dict[str, Columns], path: Path) -> None:
    """Draw a row of panels for each sampling, a panel for each column.

    Args:
        found: sampling → columns.
    """
    rows, columns = len(found), len(next(iter(found.values())))
    figure = Figure(figsize=(3.1 * columns, 0.8 + 2.6 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for row, (sampling, panels) in enumerate(found.items()):
        for axis, (title, (units, entries)) in zip(axes[row], panels.items(), strict=True):
            names = list(entries)
            for place, entry in enumerate(entries.values()):
                if entry.difference is None or entry.low is None or entry.high is None:
                    continue
                value, low, high = (units * x for x in (entry.difference, entry.low, entry.high))
                bars = [[value - low], [high - value]]
                axis.errorbar(value, place, xerr=bars, fmt="o", ms=4, capsize=3, color="C0")
                margin = units * entry.margin
                axis.fill_betweenx([place - 0.4, place + 0.4], -margin, margin, color="0.88")
            axis.axvline(0, color="0.5", lw=0.8)
            axis.set_yticks(range(len(names)), names)
            axis.set_ylim(len(names) - 0.5, -0.5)
            axis.set_title(title, fontsize=10)
        when = {"forward": "forward pass"}.get(sampling, sampling)
        axes[row][0].set_ylabel(f"λ drawn once a {when}")
    figure.supxlabel("difference from the float model (rates in %, else points); grey: margin")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
