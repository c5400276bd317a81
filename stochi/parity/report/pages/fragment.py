"""Verdict and main table of a report, as a notebook shows them."""

from typing import TYPE_CHECKING

from stochi.parity.report.pages.templating import render

if TYPE_CHECKING:
    from stochi.parity.report.report import ParityReport


def render_fragment(report: "ParityReport") -> str:
    """Return HTML that stands within another page, whose colours it takes."""
    head, *rows = report.table()
    return render(
        "fragment.html",
        verdict=report.verdict,
        sentences=[*report.verdict.details, *report.warnings()],
        title=report.title,
        head=head,
        rows=rows,
    )
