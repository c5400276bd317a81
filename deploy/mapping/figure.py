"""Cores by layer, as a figure."""

from pathlib import Path

import numpy as np

from stochi.deploy.mapping.results import Mapping
from stochi.figure_files import write_figure
from stochi.plain_text import escape_label


def draw_cores(mapping: Mapping, path: str | Path) -> None:
    """Draw each chip's cores in the colours of their layers, as full as they are.

    Args:
        mapping: of :func:`stochi.deploy.map_cores`.
        path: ends in .svg, .pdf or .png, which says the format.
    """
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    colours = colormaps["turbo"](np.linspace(0.05, 0.95, len(mapping.layers)))
    colour = dict(zip(mapping.layers, colours, strict=True))
    grid = np.ones((mapping.chips, mapping.limits.cores, 4))
    for core in mapping.cores:
        main = max(core.parts, key=lambda part: part.use.neurons)
        shade = 0.25 + 0.75 * core.fullness(mapping.limits)
        grid[core.chip, core.number] = shade * colour[main.layer] + (1 - shade)
    figure = Figure(figsize=(11, 2 + 0.15 * mapping.chips), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.imshow(grid, aspect="auto", interpolation="nearest")
    axes.set_xlabel("core; the stronger the colour, the fuller")
    axes.set_ylabel("chip")
    for name in mapping.layers:
        axes.plot([], [], "s", color=colour[name], label=escape_label(name))
    figure.legend(loc="outside lower center", ncols=4, fontsize=7)
    write_figure(figure, path, dpi=110)
