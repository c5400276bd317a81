"""Figure of the engine's time for a sample against batch, time steps, layers and activity.

.venv/bin/python -m benchmarks.scaling docs/engine_scaling.png
"""

import sys
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.networks import SHAPES, build, dense
from benchmarks.timing import in_turns
from stochi.commands.console import Output
from stochi.figure_files import write_figure
from stochi.sim import run

ROUNDS = 5
BATCH = 256
WIDTH = 512
Points = list[tuple[float, float]]


def batches() -> Points:
    """Time the MLP with more samples at a time."""
    program = build("MLP", "decay")
    images = torch.rand(2048, *SHAPES["MLP"])
    return _measure([1, 4, 16, 64, 256, 1024, 2048], lambda n: lambda: run(program, images[:n]))


def time_steps() -> Points:
    """Time two layers of 512 with longer samples."""
    images = torch.rand(BATCH, WIDTH)

    def longer(count: int) -> Callable[[], object]:
        program = dense([WIDTH, WIDTH, WIDTH], count)
        return lambda: run(program, images)

    return _measure([2, 4, 8, 16, 32, 64], longer, BATCH)


def layers() -> Points:
    """Time more layers of 512."""
    images = torch.rand(BATCH, WIDTH)

    def deeper(count: int) -> Callable[[], object]:
        program = dense([WIDTH] * (count + 1), 8)
        return lambda: run(program, images)

    return _measure([1, 2, 4, 8, 16], deeper, BATCH)


def activity() -> Points:
    """Time one layer of 512 fed by events, with more spikes at each time step."""
    program = dense([WIDTH, WIDTH], 8, events=True)
    frames = torch.rand(8, BATCH, WIDTH)

    def busier(arriving: int) -> Callable[[], object]:
        shown = (frames < arriving / WIDTH).float()
        return lambda: run(program, shown)

    return _measure([0, 26, 51, 102, 205, 307, 410, 512], busier, BATCH)


PANELS = {
    "samples at a time (784-512-256-10)": batches,
    "time steps (512-512-512)": time_steps,
    "layers of 512": layers,
    "spikes that arrive in a step (512-512)": activity,
}


def main() -> None:
    """Print the table and draw the figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    output = Output(as_json=False)
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/engine_scaling.png")
    figure = Figure(figsize=(10, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    rows = [["what grows", "value", "µs a sample"]]
    for axes, (what, measure) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
        output.progress(what)
        points = measure()
        axes.plot([x for x, _ in points], [1e6 * y for _, y in points], "o-")
        if "samples" in what:
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.set_xlabel(what)
        axes.set_ylabel("µs a sample")
        rows += [[what, f"{x:.0f}", f"{1e6 * y:.1f}"] for x, y in points]
    write_figure(figure, path, dpi=110)
    output.table(rows, f"The engine, random τ, T = 8, {torch.get_num_threads()} threads")
    output.line(f"Wrote {path}")


def _measure(
    values: list[int], make: Callable[[int], Callable[[], object]], samples: int = 0
) -> Points:
    """Median seconds a sample; ``samples`` of them, or as many as the value."""
    taken = in_turns({str(value): make(value) for value in values}, ROUNDS)
    return [(value, taken[str(value)] / (samples or value)) for value in values]


if __name__ == "__main__":
    main()
