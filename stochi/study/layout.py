"""Tables of text, and how they write numbers."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from stochi.plain_text import decimal, in_percent, signed
from stochi.statistics.intervals import Estimate

PLACES = {
    "float": "float",
    "mean": "float, mean λ",
    "decay": "chip, decay",
    "membrane": "chip, membrane",
    "none": "chip, no noise",
}
"""Place → its name in tables and figures."""


@dataclass(frozen=True)
class Table:
    """Rows of text.

    Attributes:
        title: text above the rows, of one or more lines.
        rows: the heads, then the rows.
        text_columns: number of columns at the left that hold words; the others hold numbers.
    """

    title: str
    rows: list[list[str]]
    text_columns: int


class InColumn(Protocol):
    """A cell that knows its column."""

    @property
    def column(self) -> str:
        """Head of the column."""


AnyCell = TypeVar("AnyCell", bound=InColumn)


def across(
    cells: Iterable[AnyCell],
    heads: Sequence[str],
    line_of: Callable[[AnyCell], Sequence[str]],
    text: Callable[[AnyCell], str],
) -> list[list[str]]:
    """Return rows of cells with their columns across, "–" where there is no cell.

    Args:
        heads: heads of the words at the left.
        line_of: the words at the left of a cell's row.
        text: of a cell.
    """
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    columns: dict[str, None] = {}
    for cell in cells:
        lines.setdefault(tuple(line_of(cell)), {})[cell.column] = text(cell)
        columns[cell.column] = None
    return [
        [*heads, *(wrap(column) for column in columns)],
        *([*line, *(found.get(c, "–") for c in columns)] for line, found in lines.items()),
    ]


def wrap(head: str) -> str:
    """Return a column's head in lines of about one word."""
    return head.replace("AutoAttack ", "AutoAttack\n").replace(" (", "\n(").replace(", ", ",\n")


def percent(accuracy: Estimate, over_trainings: Estimate | None) -> str:
    """Return a share in %, with its 95 % intervals below."""
    lines = [in_percent(accuracy.value, 1)]
    for estimate in (accuracy, over_trainings):
        if estimate is not None:
            low, high = max(0.0, estimate.low), min(1.0, estimate.high)
            lines.append(f"{decimal(100 * low, 0)}–{decimal(100 * high, 0)}")
    return "\n".join(lines)


def points(difference: Estimate, over_trainings: Estimate | None) -> str:
    """Return a difference in points, with its 95 % intervals below; marked if they exclude 0."""
    estimates = [one for one in (difference, over_trainings) if one is not None]
    apart = [one.low > 0 or one.high < 0 for one in estimates]
    mark = (" **" if all(apart) and len(apart) == 2 else " *") if apart[0] else ""
    lines = [f"{signed(100 * difference.value, 1)}{mark}"]
    lines += [f"{signed(100 * one.low, 1)}…{signed(100 * one.high, 1)}" for one in estimates]
    return "\n".join(lines)
