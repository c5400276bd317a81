"""Tables and sections of a page, as values that its templates show."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

NOTHING = "–"
SHORT = 12
"""Characters of a row's head that needs no lines of its own."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: what it shows, in lines.
        value: the number by which its column is sorted; None for text, which sorts by itself.
        mark: "good", "bad", "open" or "".
    """

    text: str
    value: float | None = None
    mark: str = ""


@dataclass(frozen=True)
class Column:
    """A column: its head, a sentence that explains it, and whether it holds numbers."""

    head: str
    note: str
    number: bool = True


@dataclass(frozen=True)
class Row:
    """A row, the first cell of which is its head; ``layer`` is the one that it is about."""

    cells: Sequence[Cell]
    layer: str | None = None


@dataclass(frozen=True)
class Table:
    """A table, with a caption of its own on the page."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]

    @property
    def has_long_names(self) -> bool:
        """Whether the rows' heads take a wide column, in which their words stand together."""
        return any(len(row.cells[0].text) > SHORT for row in self.rows)


@dataclass(frozen=True)
class Section:
    """A section of a page.

    Attributes:
        key: its anchor.
        title: its heading.
        text: sentences below that.
        parts: tables, and drawn figures.
        layers: names of layers that can be chosen in it.
    """

    key: str
    title: str
    text: str
    parts: Sequence[Table | Markup]
    layers: Sequence[str] = ()


def text_cell(text: str, mark: str = "") -> Cell:
    """Return a cell of text."""
    return Cell(text, None, mark)


def number_cell(value: float | None, text: str, mark: str = "") -> Cell:
    """Return a cell of a number; without one it shows a dash."""
    return Cell(NOTHING) if value is None else Cell(text, value, mark)
