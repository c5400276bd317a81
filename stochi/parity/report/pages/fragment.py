"""Verdicts and main tables of reports, as a notebook shows them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from stochi.notebook_tables import html_table
from stochi.parity.report.pages.templating import render

if TYPE_CHECKING:
    from stochi.parity.report.report import ParityReport

Titled = Mapping[str, Sequence[Sequence[str]]]
"""Title → rows of a table, the first of which is the head."""


def render_fragment(report: "ParityReport") -> str:
    """Return HTML that stands within another page, whose colours it takes."""
    verdict = report.verdict
    tables = {report.title: report.table()}
    return _render({"": report}, verdict.details, report.warnings(), tables)


def render_fragments(reports: Mapping[str, "ParityReport"], tables: Titled) -> str:
    """Return the same of several reports, with these tables of all of them."""
    return _render(reports, (), (), tables)


def _render(
    reports: Mapping[str, "ParityReport"],
    sentences: Sequence[str],
    warnings: Sequence[str],
    tables: Titled,
) -> str:
    return render(
        "fragment.html",
        verdicts={name: report.verdict for name, report in reports.items()},
        sentences=sentences,
        warnings=warnings,
        tables=[Markup(html_table(title, rows)) for title, rows in tables.items() if len(rows) > 1],
    )
