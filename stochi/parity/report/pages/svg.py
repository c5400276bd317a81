"""Elements of SVG that follow the page's colours, and the scale of an axis."""

import math
from collections.abc import Iterator, Sequence

from markupsafe import Markup, escape

from stochi.plain_text import escape_lines

WIDTH = 400
"""Width of every figure in its own units; the page scales them, on phones to 348 pixels."""
LETTER = 7.6
"""The most that a letter of a figure's text takes on average, in these units."""
Child = Markup | str


def element(name: str, *children: Child, **attributes: object) -> Markup:
    """Return an element; text is escaped, and ``_`` in names of attributes stands for ``-``."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(escape(one if isinstance(one, Markup) else _shown(one)) for one in children)
    end = "" if name == "img" else f"</{name}>"
    return Markup(f"<{name}{given}>{inside}{end}")


def drawing(key: str, title: str, description: str, height: float, *children: Child) -> Markup:
    """Return a whole figure; the arguments are those of :func:`picture`."""
    caption = element("figcaption", title)
    return element("figure", caption, picture(key, title, description, height, *children))


def picture(key: str, title: str, description: str, height: float, *children: Child) -> Markup:
    """Return a picture with its title and description, for those who cannot see it.

    Args:
        key: its own name on the page.
        height: in the units of :data:`WIDTH`.
    """
    about = (
        element("title", title, id=f"{key}-title"),
        element("desc", description, id=f"{key}-desc"),
    )
    return element(
        "svg",
        *about,
        *children,
        viewBox=f"0 0 {WIDTH} {_value(float(height))}",
        role="img",
        aria_labelledby=f"{key}-title {key}-desc",
    )


def text(
    x: float, y: float, words: str, anchor: str = "start", class_: str | None = None
) -> Markup:
    """Return text at a place."""
    return element("text", words, x=x, y=y, text_anchor=anchor, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """Return a line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


class Scale:
    """A linear axis, from numbers to places.

    Args:
        values: numbers that it must reach; what is not finite is left out.
        start, end: places of its ends.
    """

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        finite = [value for value in values if math.isfinite(value)] or [0.0]
        low, high = min(finite), max(finite)
        if high - low < 1e-12 * max(1.0, abs(low), abs(high)):
            low, high = low - 0.5, high + 0.5
        room = 0.04 * (high - low)
        self.low, self.high, self.start, self.end = low - room, high + room, start, end

    def __call__(self, value: float) -> float:
        """Return the place of a number, or the end that it lies beyond."""
        if math.isnan(value):
            return self.start
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 5) -> Iterator[float]:
        """Yield round numbers along it."""
        rough = (self.high - self.low) / most
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
        first = math.ceil(self.low / step)
        for number in range(first, math.floor(self.high / step) + 1):
            yield number * step


def tick_text(value: float) -> str:
    """Return a tick's number, without the noise of floats."""
    return f"{value + 0.0:.6g}".replace("-", "−") if abs(value) > 1e-12 else "0"


def legend(names: Sequence[tuple[str, str]], y: float) -> tuple[list[Markup], float]:
    """Return the marks and names of series in lines, and the height that they take.

    Args:
        names: class and name of each series.
        y: place of the first line.
    """
    shown: list[Markup] = []
    x, start = 10.0, y
    for class_, name in names:
        needed = 26 + LETTER * len(name)
        if x + needed > WIDTH and x > 10:
            x, y = 10.0, y + 20
        shown.append(element("circle", cx=x, cy=y - 4, r=5, class_=class_))
        shown.append(text(x + 10, y, name))
        x += needed
    return shown, y + 20 - start


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{round(value, 2):g}"
    return str(escape(_shown(str(value))))


def _shown(words: str) -> str:
    return escape_lines(words)
