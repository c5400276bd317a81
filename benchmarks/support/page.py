"""The support table as Markdown, and its place in ``docs/support.md``."""

from itertools import groupby
from pathlib import Path

from benchmarks.support.cases import all_cases
from benchmarks.support.examination import NOTHING, Row, examine

PAGE = Path(__file__).resolve().parents[2] / "docs/support.md"
MARK = "<!-- made by: python -m benchmarks.support --write -->\n"
HEAD = ("exported", "lowered", "torch engine", "twin", "Lava", "why not")


def make_rows(lava: bool) -> list[Row]:
    """Send every network to the chip; see :func:`benchmarks.support.examination.examine`."""
    return [examine(case, lava) for case in all_cases()]


def to_markdown(rows: list[Row]) -> str:
    """Return a table for each group of rows, under its title."""
    parts = []
    for group, members in groupby(rows, lambda row: row.group):
        lines = [f"## {group}\n", _line(("", *HEAD)), _line(("---",) * (len(HEAD) + 1))]
        lines += [_cells(row) for row in members]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _cells(row: Row) -> str:
    note = row.note.replace("|", "\\|")
    return _line((row.what, row.exported, row.lowered, row.torch_engine, row.twin, row.lava, note))


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def committed() -> str:
    """Return the tables of the page."""
    return PAGE.read_text(encoding="utf-8").partition(MARK)[2]


def without_lava(tables: str) -> str:
    """Return the page's tables as they are made without Lava."""
    lines = []
    for line in tables.splitlines():
        cells = line.split(" | ")
        if len(cells) > len(HEAD) and not line.startswith(("|  |", "| ---")):
            cells[len(HEAD) - 1] = NOTHING
        lines.append(" | ".join(cells))
    return "\n".join(lines) + "\n"


def write(tables: str) -> None:
    """Put the tables into the page, under what is written by hand."""
    prose = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    PAGE.write_text(prose + MARK + tables, encoding="utf-8")
