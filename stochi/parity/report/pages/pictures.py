"""Pixels and spikes as pictures."""

import io
from base64 import b64decode, b64encode

import numpy as np
from markupsafe import Markup

from stochi.parity.report.pages.svg import (
    LETTER,
    WIDTH,
    Scale,
    drawing,
    element,
    line,
    text,
    tick_text,
)
from stochi.parity.results import (
    CHIP,
    SIDES,
    TWIN,
    FlippedImage,
    LayerTrace,
)
from stochi.plain_text import counted

KINDS = {"float_only": "float model only", "chip_only": "chip only", "both": "both"}
LEFT, RIGHT, CELL = 60.0, WIDTH - 10.0, 9.0
TRACE = 90.0


def show_flipped(image: FlippedImage) -> Markup:
    """Return an image before and under the attack, and the change, which grey stands for none."""
    shape = tuple(image.shape)
    clean, attacked = (_pixels(one, shape) for one in (image.clean, image.attacked))
    change = attacked.astype(int) - clean
    largest = int(np.abs(change).max())
    scaled = np.clip(128 + 127 * change / max(1, largest), 0, 255).astype(np.uint8)
    name = f"Image {image.number}, flips on {KINDS.get(image.flips, image.flips)}"
    shown = [
        _picture(clean, f"{name}: clean"),
        _picture(attacked, f"{name}: attacked"),
        _picture(scaled, f"{name}: change"),
    ]
    caption = f"{name}: clean, attacked, and the change, {largest} of 255 at most"
    return element("figure", *shown, element("figcaption", caption), class_="flipped")


def draw_trace(key: str, trace: LayerTrace, first: tuple[int, str] | None) -> Markup:
    """Draw a layer's spikes and one membrane of a sample, on the twin and on the chip.

    A spike of both is a filled square; one of a single side is an open square in its colour.

    Args:
        first: time step and kind of the layer's first mismatch, in this sample.
    """
    steps = len(trace.membranes[TWIN])
    across = Scale([-0.5, steps - 0.5], LEFT, RIGHT)
    shown: list[Markup] = []
    y = 6.0
    if trace.spikes:
        shown += _raster(trace, across, y)
        y += CELL * len(trace.neurons)
    shown += _legend(trace.neuron, y + 18)
    y += 28
    shown += _membrane(trace, across, y)
    bottom = y + TRACE
    if first is not None:
        place = across(first[0])
        shown.append(line(place, 4, place, bottom, "mismatch"))
        shown.append(text(place, bottom + 34, f"first mismatch: {first[1]}", "middle", "mark"))
    for tick in across.ticks(6):
        if tick == int(tick) and 0 <= tick < steps:
            shown.append(text(across(tick), bottom + 16, tick_text(tick), "middle", "tick"))
    shown.append(text(RIGHT, bottom + 34, "time step", "end", "tick"))
    differ = sum(a != b for a, b in zip(trace.membranes[TWIN], trace.membranes[CHIP], strict=True))
    description = (
        f"{len(trace.neurons)} neurons' spikes over {counted(steps, 'time step')}, and the membrane"
        f" of neuron {trace.neuron}, which differs between twin and chip at {differ} of them."
    )
    figure = drawing(key, f"{trace.layer}: one sample", description, bottom + 42, *shown)
    return element("div", figure, data_layer=trace.layer)


def _raster(trace: LayerTrace, across: Scale, top: float) -> list[Markup]:
    width = max(1.0, min(CELL, across(1) - across(0)) - 1)
    count = len(trace.neurons)
    middle = top + CELL * count / 2
    shown = [
        text(LEFT - 6, middle + 14 * line_number, word, "end", "tick")
        for line_number, word in enumerate(counted(count, "neuron").split(" "))
    ]
    for row, (ours, theirs) in enumerate(zip(trace.spikes[TWIN], trace.spikes[CHIP], strict=True)):
        for step, (left, right) in enumerate(zip(ours, theirs, strict=True)):
            if left == right == "0":
                continue
            side = "both" if left == right else TWIN if left == "1" else CHIP
            where = "twin and chip" if side == "both" else f"{SIDES[side]} only"
            words = f"neuron {trace.neurons[row]}, step {step}: {where}"
            shown.append(
                element(
                    "rect",
                    element("title", words),
                    x=across(step) - width / 2,
                    y=top + CELL * row,
                    width=width,
                    height=CELL - 2,
                    class_=f"spike {side}",
                )
            )
    return shown


def _legend(neuron: int, y: float) -> list[Markup]:
    """Return what the lines of the membrane are, in a line."""
    words = f"membrane of neuron {neuron}:"
    shown, x = [text(LEFT, y, words, class_="tick")], LEFT + 8 + LETTER * len(words)
    for side in (TWIN, CHIP):
        points = f"{x:.1f},{y - 4:.1f} {x + 24:.1f},{y - 4:.1f}"
        shown.append(element("polyline", points=points, class_=f"course {side}"))
        shown.append(text(x + 28, y, SIDES[side], class_="tick"))
        x += 40 + LETTER * len(SIDES[side])
    return shown


def _membrane(trace: LayerTrace, across: Scale, top: float) -> list[Markup]:
    values = [value for each in trace.membranes.values() for value in each]
    up = Scale([0, *values], top + TRACE - 4, top + 6)
    shown = [
        line(LEFT, up(0), RIGHT, up(0), "grid"),
        line(LEFT, top + TRACE, RIGHT, top + TRACE, "axis"),
    ]
    for tick in up.ticks(3):
        shown.append(text(LEFT - 8, up(tick) + 4, _short(tick), "end", "tick"))
    for side, name in ((TWIN, "twin"), (CHIP, "chip")):
        places = [f"{across(t):.1f},{up(v):.1f}" for t, v in enumerate(trace.membranes[side])]
        course = element(
            "polyline",
            element("title", f"membrane of neuron {trace.neuron} on the {name}"),
            points=" ".join(places),
            class_=f"course {side}",
        )
        shown.append(course)
    return shown


def _short(value: float) -> str:
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{tick_text(value / size)}{unit}"
    return tick_text(value)


def _pixels(text_: str, shape: tuple[int, ...]) -> np.ndarray:
    return np.frombuffer(b64decode(text_), np.uint8).reshape(shape)


def _picture(pixels: np.ndarray, words: str) -> Markup:
    from PIL import Image

    grey = len(pixels) == 1
    image = Image.fromarray(pixels[0] if grey else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    written = io.BytesIO()
    image.save(written, "PNG")
    source = f"data:image/png;base64,{b64encode(written.getvalue()).decode('ascii')}"
    _, height, width = pixels.shape
    return element("img", src=source, alt=words, width=width, height=height)
