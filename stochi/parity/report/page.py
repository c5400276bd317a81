"""A report's tables as one HTML page."""

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

from stochi.plain_text import escape_lines

_STYLE = (
    "body{font:16px system-ui;margin:2em auto;max-width:70em}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.3em .8em;"
    "border-bottom:1px solid #ccc;text-align:left}"
)


def render_page(
    warnings: Sequence[str],
    tables: Mapping[str, Sequence[Sequence[str]]],
    configuration: Mapping[str, Any],
) -> str:
    """Render warnings, tables and configuration.

    Args:
        tables: title → rows of text, the first row being the head.
    """
    parts = [
        f"<!doctype html><meta charset='utf-8'><title>Parity report</title><style>{_STYLE}</style>",
        "<h1>Parity report</h1>",
        *(f"<p><b>{_shown(text)}</b></p>" for text in warnings),
        *(f"<h2>{_shown(title)}</h2>{_table(rows)}" for title, rows in tables.items()),
        f"<h2>Configuration</h2><pre>{html.escape(json.dumps(configuration, indent=2))}</pre>",
    ]
    return "".join(parts)


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    return f"<table>{_row(head, 'th')}{''.join(_row(cells, 'td') for cells in body)}</table>"


def _row(cells: Sequence[str], tag: str) -> str:
    texts = (_shown(text).replace("\n", "<br>") for text in cells)
    return "<tr>" + "".join(f"<{tag}>{text}</{tag}>" for text in texts) + "</tr>"


def _shown(text: str) -> str:
    """Return text that a page shows as it is, lines kept apart, whatever a file put into it."""
    return html.escape(escape_lines(text))
