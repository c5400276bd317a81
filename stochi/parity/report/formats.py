"""Rows of text as CSV, Markdown and LaTeX."""

import csv
import io
from collections.abc import Sequence

from stochi.plain_text import escape_lines

_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": "$-$",
    "–": "--",
    "ε": r"$\varepsilon$",
    "σ": r"$\sigma$",
    "τ": r"$\tau$",
    "λ": r"$\lambda$",
    "×": r"$\times$",
    "\n": " ",
}
_MARKDOWN = {**{sign: f"\\{sign}" for sign in "\\|`*_<[]"}, "\n": " "}


def csv_of(rows: Sequence[Sequence[object]]) -> str:
    """Return rows as CSV; numbers are written in full, and None is empty."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue()


def markdown_of(rows: Sequence[Sequence[str]]) -> str:
    """Return rows, the first of which is the head, as a table of Markdown."""
    head, *body = rows
    rule = ["---", *["---:"] * (len(head) - 1)]
    cells = [[_replaced(text, _MARKDOWN) for text in row] for row in (head, *body)]
    lines = [cells[0], rule, *cells[1:]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def latex_of(rows: Sequence[Sequence[str]]) -> str:
    """Return rows, the first of which is the head, as a tabular of LaTeX."""
    head, *body = ([_replaced(text, _LATEX) for text in row] for row in rows)
    lines = [
        f"\\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
        "\\hline",
        f"{' & '.join(head)} \\\\",
        "\\hline",
        *(f"{' & '.join(row)} \\\\" for row in body),
        "\\hline",
        "\\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _replaced(text: str, signs: dict[str, str]) -> str:
    return "".join(signs.get(sign, sign) for sign in escape_lines(text))
