"""A table as HTML, for notebooks, which show what ``_repr_html_`` returns."""

import html
from collections.abc import Sequence

from stochi.plain_text import escape_lines

_CELL = "padding:.3em .6em;vertical-align:top"
"""Style of a cell, since not every viewer of notebooks has one of its own."""


def html_table(title: str, rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    """Return rows of text as a table with a caption.

    Args:
        title: the caption.
        rows: the first one is the head; cells may have several lines.
        text_columns: number of columns, from the left, that are text; others are numbers.
    """
    head, *body = rows
    lines = [f"<table><caption>{_shown(title)}</caption>", f"<thead>{_row(head, 'th', len(head))}"]
    lines += ["</thead><tbody>", *(_row(row, "td", text_columns) for row in body)]
    return "".join([*lines, "</tbody></table>"])


def _row(cells: Sequence[str], tag: str, text_columns: int) -> str:
    shown = []
    for number, cell in enumerate(cells):
        side = "left" if number < text_columns else "right"
        style = f"{_CELL};text-align:{side}"
        shown.append(f'<{tag} style="{style}">{_shown(cell)}</{tag}>')
    return f"<tr>{''.join(shown)}</tr>"


def _shown(text: str) -> str:
    """Return text that a page shows as it is, lines kept apart, whatever a file put into it."""
    return html.escape(escape_lines(text)).replace("\n", "<br>")
