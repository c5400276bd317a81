"""Events as a picture, a panel for each time step, and as an animation."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from stochi.arguments import check_arguments
from stochi.data.streams import Streams
from stochi.errors import InputError
from stochi.figure_files import write_figure
from stochi.files import write_whole

if TYPE_CHECKING:  # matplotlib is slow to import
    from matplotlib.figure import Figure

_MOST_PANELS = 1_000
_SIDE = 160
"""Pixels that a sensor has in an animation at least, if it has fewer."""
_GAP = 2
"""Sensor pixels between two samples in an animation."""
_BEHIND = 0.85
"""Grey between the samples of an animation."""


def draw_events(
    events: Streams | torch.Tensor | np.ndarray, path: str | Path, *, step_ms: int = 150
) -> None:
    """Draw events, or a pattern of them, into a PNG or a GIF, as the file's name ends.

    A PNG has a row for each sample and a panel for each time step. A GIF shows the samples side by
    side, one time step after the other, over and over. A place is red for an event of rising
    brightness (polarity 1), blue for falling (0) and black for both; values below 1, such as
    means over samples, are paler.

    Args:
        events: streams, their inputs (time steps, n, polarities, height, width), or a sample, (time
            steps, polarities, height, width), in [0, 1]; 1 or 2 polarities.
        path: the file, which is replaced once it is complete; it ends in .png or .gif.
        step_ms: milliseconds that a time step is shown in a GIF, from 20.

    Raises:
        InputError: the name ends otherwise, or the events have another shape or range, or more
            panels than can be drawn.
    """
    check_arguments(draw_events, locals(), besides=("events",))
    ending = Path(path).suffix.lower()
    if ending not in (".png", ".gif"):
        raise InputError(f"{path}: give the name of a PNG file or a GIF file, like events.gif")
    if not 20 <= step_ms <= 60_000:
        raise InputError(f"step_ms is {step_ms}; it must be from 20 to 60000")
    colours = _coloured(_as_array(events))
    if ending == ".png":
        write_figure(_make_panels(colours), path, dpi=110)
    else:
        write_whole(path, _animate(colours, step_ms))


def _as_array(events: Streams | torch.Tensor | np.ndarray) -> np.ndarray:
    """Return events as (time steps, n, polarities, height, width) float64."""
    values = events.inputs if isinstance(events, Streams) else events
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    try:
        array = np.asarray(values, np.float64)
    except Exception:  # numpy shows what it cannot take, whose text may raise
        raise InputError(
            f"events have type {type(values).__name__}; they are drawn from streams, a tensor or an"
            " array (of an EventSet: events.first(4).load())"
        ) from None
    if array.ndim == 4:
        array = array[:, None]
    if array.ndim != 5 or array.shape[2] not in (1, 2) or not array.size:
        raise InputError(
            f"events have the shape {array.shape}; they are drawn from (time steps, n, polarities,"
            " height, width) or, of one sample, (time steps, polarities, height, width), with 1 or"
            " 2 polarities"
        )
    if not (array.min() >= 0 and array.max() <= 1):
        raise InputError(f"events range from {array.min():g} to {array.max():g}; draw [0, 1]")
    steps, samples = array.shape[:2]
    if steps * samples > _MOST_PANELS:
        raise InputError(
            f"{samples} samples of {steps} time steps are {steps * samples:,} panels; draw at most"
            f" {_MOST_PANELS:,}, such as those of streams.first({max(1, _MOST_PANELS // steps)})"
        )
    return array


def _coloured(array: np.ndarray) -> np.ndarray:
    """Return colours, (time steps, n, height, width, 3) in [0, 1], on white."""
    rising = array[:, :, -1]
    falling = array[:, :, 0] if array.shape[2] == 2 else np.zeros_like(rising)
    return 1 - np.stack([falling, np.maximum(falling, rising), rising], -1)


def _make_panels(colours: np.ndarray) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps, samples, height, width = colours.shape[:4]
    figure = Figure(figsize=(1.2 * steps, 0.3 + 1.2 * samples * min(2, height / width)))
    FigureCanvasAgg(figure)
    panels = figure.subplots(samples, steps, squeeze=False)
    figure.subplots_adjust(0.01, 0.01, 0.99, 1 - 0.3 / figure.get_figheight(), 0.06, 0.06)
    for step in range(steps):
        panels[0, step].set_title(f"step {step}", fontsize=8)
        for sample in range(samples):
            panel = panels[sample, step]
            panel.imshow(colours[step, sample], interpolation="nearest")
            panel.set_xticks([])
            panel.set_yticks([])
    return figure


def _animate(colours: np.ndarray, step_ms: int) -> bytes:
    """Return a GIF."""
    from PIL import Image

    larger = max(1, -(-_SIDE // max(colours.shape[2:4])))
    steps, samples, height, width = colours.shape[:4]
    frames = np.full((steps, height, samples * (width + _GAP) - _GAP, 3), _BEHIND)
    for sample in range(samples):
        left = sample * (width + _GAP)
        frames[:, :, left : left + width] = colours[:, sample]
    pixels = np.rint(255 * frames).astype(np.uint8).repeat(larger, 1).repeat(larger, 2)
    first, *others = map(Image.fromarray, pixels)
    drawn = io.BytesIO()
    first.save(drawn, format="GIF", save_all=True, append_images=others, duration=step_ms, loop=0)
    return drawn.getvalue()
