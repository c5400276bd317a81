"""Tables of text that fit a terminal."""

import shutil
from collections.abc import Sequence

from stochi.plain_text import escape_lines, escape_text
from stochi.text_width import columns_of, pad_text, wrap_text

UNKNOWN = 80
"""Columns of a terminal that does not say how many it has."""
LEAST = 20
"""Columns that are taken even if a terminal says that it has fewer."""
_BETWEEN = "  "
_NARROWEST = 12
"""Columns of the first column of a table below which it is written as a list."""


def terminal_width() -> int:
    """Return the columns of the terminal, 80 if they are not known."""
    return max(LEAST, shutil.get_terminal_size((UNKNOWN, 24)).columns)


def wrap(text: str, width: int) -> list[str]:
    """Return text in lines of at most this width, what is not printable escaped."""
    return wrap_text(escape_text(" ".join(text.split())), width) or [""]


def fit_table(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return the lines of a table of at most this width, without trailing blanks.

    The first column is text, and is wrapped; the others are numbers, and are kept whole. If they
    leave too little room, each row becomes a list.

    Args:
        rows: rows of text, which may have several lines; the first row is the head.
    """
    cells = [[escape_lines(text).split("\n") for text in row] for row in rows]
    widths = [
        max(columns_of(line) for row in cells for line in row[i]) for i in range(len(rows[0]))
    ]
    room = width - sum(widths[1:]) - len(_BETWEEN) * (len(widths) - 1)
    if room < min(_NARROWEST, widths[0]):
        return _as_list(rows, width)
    widths[0] = min(widths[0], room)
    shown: list[str] = []
    for number, row in enumerate(cells):
        first = [part for line in row[0] for part in wrap_text(line, widths[0]) or [""]]
        shown += _lines_of([first, *row[1:]], widths)
        if number == 0:
            shown.append("─" * (sum(widths) + len(_BETWEEN) * (len(widths) - 1)))
        elif number < len(cells) - 1 and any(len(cell) > 1 for cell in row):
            shown.append("")
    return shown


def _lines_of(row: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    lines = []
    for number in range(max(map(len, row))):
        parts = [cell[number] if number < len(cell) else "" for cell in row]
        first = pad_text(parts[0], widths[0])
        others = [
            pad_text(part, size, left=False)
            for part, size in zip(parts[1:], widths[1:], strict=True)
        ]
        lines.append(_BETWEEN.join([first, *others]).rstrip())
    return lines


def _as_list(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    head, *body = rows
    lines: list[str] = []
    for row in body:
        lines += [""] * bool(lines) + wrap(row[0].replace("\n", ", "), width)
        for name, text in zip(head[1:], row[1:], strict=True):
            shown = f"{name}: {text}".replace("\n", ", ")
            lines += [f"  {line}" for line in wrap(shown, width - 2)]
    return lines
