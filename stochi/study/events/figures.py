"""Curves of success against budget, and the trained patterns as pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stochi.data.events_figure import draw_events
from stochi.figure_files import write_figure
from stochi.study.curves import Point, draw_lines
from stochi.study.events.answers import EventAnswers
from stochi.study.events.patterns import read_pattern
from stochi.study.events.plan import EventStudyPlan
from stochi.study.events.questions import PATCH, UNIVERSAL, Shown, makes_of
from stochi.study.events.results import EventStudyResults, SuccessCell
from stochi.study.events.tables import MOVED, describe_data
from stochi.study.store import Store
from stochi.study.victims import FLOAT

if TYPE_CHECKING:  # matplotlib is slow to import
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = {
    "worst attack, inserting and deleting": "events",
    "worst attack, moving in time": "steps of delay",
    "universal pattern, made on the float model": "events",
    "random patterns of as many events": "events",
}
"""Title of a panel → its axis."""


def draw_success(results: EventStudyResults, path: str | Path) -> None:
    """Draw success and fooling rates against budgets, for each network and place, as a PNG."""
    write_figure(make_success(results), path, dpi=110)


def make_success(results: EventStudyResults) -> "Figure":
    """Return the figure of :func:`draw_success`; all panels have one scale."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(PANELS), sharey=True)
    on_float = {FLOAT, "own"}
    groups = (
        [cell for cell in results.worst if MOVED not in cell.column],
        [cell for cell in results.worst if MOVED in cell.column],
        [
            cell
            for cell in results.patterns
            if cell.attack == UNIVERSAL
            and cell.made_on in on_float
            and (cell.made_on == FLOAT or cell.place == FLOAT)
        ],
        [cell for cell in results.patterns if cell.attack.endswith(f"-{UNIVERSAL}")],
    )
    for panel, (title, axis), cells in zip(panels, PANELS.items(), groups, strict=True):
        _draw_panel(panel, cells)
        panel.set_title(title, fontsize=10)
        panel.set_xlabel(axis)
    panels[0].set_ylabel("wrong among the recordings that are right\nwithout an attack, %")
    panels[0].set_ylim(0, 100)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=8)
    figure.suptitle(describe_data(results.plan), fontsize=10)
    return figure


def _draw_panel(panel: "Axes", cells: Sequence[SuccessCell]) -> None:
    """Draw a line for each network and place."""
    points = [Point(cell.network, cell.place, cell.size, cell.success) for cell in cells]
    sizes = draw_lines(panel, points)
    panel.set_xticks(sizes, [f"{size:g}" for size in sizes])


def draw_patterns(plan: EventStudyPlan, kept: str | Path, folder: Path) -> list[str]:
    """Draw the largest universal pattern and patch of each network's float model.

    Args:
        plan: of a finished study.
        kept: folder of its answers.
        folder: where they are written, each as a PNG and as a GIF.

    Returns:
        The names of the files.
    """
    answers, names = EventAnswers(plan, Store(kept)), []
    for victim in (one for one in plan.victims() if one.seed == 0):
        made = [shown for shown in makes_of(victim, plan) if shown.place == FLOAT]
        for kind in (UNIVERSAL, PATCH):
            largest = _largest(made, kind)
            if largest is None:
                continue
            key = answers.made_key(victim, largest)
            pattern = read_pattern(answers.store, key, largest, plan.data)
            if pattern is not None:
                stem = f"{kind}_{victim.neuron.replace('*', 'x')}"
                for name in (f"{stem}.png", f"{stem}.gif"):
                    draw_events(pattern.frames, folder / name)
                    names.append(name)
    return names


def _largest(made: Sequence[Shown], kind: str) -> Shown | None:
    some = [shown for shown in made if shown.attack == kind]
    return max(some, key=lambda shown: shown.size, default=None)
