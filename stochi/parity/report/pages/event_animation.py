"""A sample's events as an animation that needs no script.

Without one, and on paper, all frames are shown at once. Each frame is a path of its own, which
keyframes of CSS show in its turn; style.css leaves them out for readers who want no motion.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from stochi.parity.report.pages.svg import WIDTH, element, picture, text

SECONDS = 0.4
"""Time of a frame. At most three flashes a second are allowed (WCAG 2.3.1)."""
HIGHEST = 320.0
"""Largest height of a panel, in the figure's units."""
GAP, TOP, LINE = 16.0, 24.0, 20.0
_RING = 3.0
"""Smallest half side of a mark, in the figure's units: a place of a large sensor is smaller."""


@dataclass(frozen=True)
class Panel:
    """One of the samples side by side.

    Attributes:
        title: what is written above it.
        events: (frames, polarities, height, width) bool.
        added, removed: of that shape, what an attack changed; None if there was none.
    """

    title: str
    events: np.ndarray
    added: np.ndarray | None = None
    removed: np.ndarray | None = None


def animate(
    key: str, title: str, description: str, panels: Sequence[Panel], names: Sequence[str]
) -> Markup:
    """Return a figure of panels side by side, with its controls.

    Args:
        key: its own name on the page.
        title, description: for readers, and for those who cannot see it.
        panels: at least one, all of the same shape.
        names: of each frame, such as "time step 3".
    """
    count, _, high, wide = panels[0].events.shape
    scale = min((WIDTH - GAP * (len(panels) - 1)) / len(panels) / wide, HIGHEST / high)
    shown: list[Markup] = []
    for place, panel in enumerate(panels):
        shown += _draw(panel, place * (wide * scale + GAP), scale)
    bottom = TOP + high * scale + LINE
    moving = count > 1
    for number, name in enumerate(names if moving else ()):
        shown.append(_frame("text", number, "when", name, x=0, y=bottom))
    shown.append(text(0, bottom, "all time steps", class_="all"))
    shown += _legend(panels, bottom + LINE)
    figure = [element("figcaption", title)]
    figure.append(picture(key, title, description, bottom + LINE + 8, *shown))
    if not moving:
        return element("figure", *figure, class_="events")
    buttons = (element("button", name, type="button") for name in ("Pause", "All time steps"))
    figure.append(Markup('<p class="choice" hidden>{}</p>').format(Markup(" ").join(buttons)))
    turn = f"--turn: frames-{count}; --frames: {count}; --time: {count * SECONDS:g}s"
    return element("figure", _keyframes(count), *figure, class_="events", style=turn)


def _draw(panel: Panel, left: float, scale: float) -> list[Markup]:
    """Draw a panel: its ground, and for each frame its events and what is changed."""
    polarities, high, wide = panel.events.shape[1:]
    drawn = {"rising": [_runs(one) for one in panel.events[:, -1]]}
    if polarities == 2:
        drawn["falling"] = [_runs(one) for one in panel.events[:, 0]]
    ring = max(0.5, _RING / scale)
    for kind, changed in (("added", panel.added), ("removed", panel.removed)):
        if changed is not None:
            drawn[f"change {kind}"] = [
                _marks(kind, one, ring) for one in np.logical_or.reduce(changed, 1)
            ]
    paths = [
        _frame("path", number, kind, d=path)
        for kind, each in drawn.items()
        for number, path in enumerate(each)
        if path
    ]
    ground = element("rect", x=0, y=0, width=wide, height=high, class_="ground")
    where = f"translate({left:.2f} {TOP:g}) scale({scale:.4f})"
    return [
        text(left, TOP - 8, panel.title, class_="label"),
        element("g", ground, *paths, transform=where),
    ]


def _frame(name: str, number: int, kind: str, *children: str, **attributes: object) -> Markup:
    """Return an element that is shown in the turn of a frame."""
    return element(
        name, *children, **attributes, class_=f"frame {kind}", style=f"--frame: {number}"
    )


def _runs(events: np.ndarray) -> str:
    """Return a path along events, (height, width) bool, those beside each other in one line."""
    edges = np.diff(np.pad(events, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    starts, ends = np.argwhere(edges == 1), np.argwhere(edges == -1)
    return "".join(
        f"M{x} {y}.5h{end - x}"
        for (y, x), (_, end) in zip(starts.tolist(), ends.tolist(), strict=True)
    )


def _marks(kind: str, places: np.ndarray, ring: float) -> str:
    """Return a path of frames or crosses at places, (height, width) bool."""
    found = []
    for y, x in np.argwhere(places).tolist():
        left, top = f"{x + 0.5 - ring:.2f}", f"{y + 0.5 - ring:.2f}"
        side = f"{2 * ring:.2f}"
        if kind == "added":
            found.append(f"M{left} {top}h{side}v{side}h-{side}z")
        else:
            found.append(f"M{left} {top}l{side} {side}m-{side} 0l{side} -{side}")
    return "".join(found)


def _legend(panels: Sequence[Panel], y: float) -> list[Markup]:
    """Return what the signs mean, in a line."""
    kinds = [("rising", "ON", "M0 5h10"), ("falling", "OFF", "M0 5h10")]
    kinds = kinds if panels[0].events.shape[1] == 2 else [("rising", "event", "M0 5h10")]
    if any(panel.added is not None for panel in panels):
        kinds += [("change added", "added", "M0 0h10v10h-10z")]
        kinds += [("change removed", "removed", "M0 0l10 10m-10 0l10 -10")]
    shown, x = [], 0.0
    for class_, name, path in kinds:
        sign = element("path", d=path, class_=f"sign {class_}")
        shown.append(element("g", sign, transform=f"translate({x:g} {y - 10:g})"))
        shown.append(text(x + 16, y, name))
        x += 40 + 8 * len(name)
    return shown


def _keyframes(count: int) -> Markup:
    """Return the style with which a frame is shown for its share of the time."""
    share = f"{100 / count:.4f}"
    return Markup(
        "<style>@keyframes frames-{0} {{ 0% {{ visibility: visible; }}"
        " {1}%, 100% {{ visibility: hidden; }} }}</style>"
    ).format(count, share)
