"""The page of a report."""

from typing import TYPE_CHECKING

from stochi.parity.report.pages.accuracy_sections import (
    ablation_section,
    accuracy_section,
    confusion_section,
    epsilon_section,
    error_section,
    flip_section,
)
from stochi.parity.report.pages.cells import Section
from stochi.parity.report.pages.cost_sections import cost_section
from stochi.parity.report.pages.event_sections import event_section
from stochi.parity.report.pages.layer_sections import layer_section, variability_section
from stochi.parity.report.pages.run_sections import (
    date_in_words,
    exact_section,
    masking_section,
    run_section,
)
from stochi.parity.report.pages.templating import render
from stochi.parity.report.randomness import draws_nothing

if TYPE_CHECKING:
    from stochi.parity.report.report import ParityReport


def render_report(report: "ParityReport") -> str:
    """Return the page of a report, which needs nothing but itself."""
    asked = report.configuration
    noise = "draws no random numbers" if draws_nothing(report) else f"noise: {asked.noise}"
    about = [asked.chip, noise]
    if report.run is not None and report.run.date is not None:
        about.append(date_in_words(report.run.date))
    return render(
        "report.html",
        verdict=report.verdict,
        warnings=report.warnings(),
        about=", ".join(about),
        sections=list_sections(report),
    )


def list_sections(report: "ParityReport") -> list[Section]:
    """Return the sections of a report; what it does not have is left out."""
    accuracy, distribution = report.accuracy, report.distribution
    found = [
        accuracy_section(accuracy) if accuracy else None,
        error_section(report.errors) if report.errors is not None else None,
        ablation_section(report.ablation) if report.ablation is not None else None,
        layer_section(report.exact, distribution, report.sample),
        epsilon_section(accuracy),
        confusion_section(report.confusion) if report.confusion is not None else None,
        variability_section(distribution, draws_nothing(report))
        if distribution is not None
        else None,
        flip_section(accuracy, report.flipped),
        event_section(report.events) if report.events is not None else None,
        masking_section(report.masking) if report.masking else None,
        exact_section(report.exact) if report.exact else None,
        cost_section(report.costs) if report.costs is not None else None,
        run_section(report),
    ]
    return [section for section in found if section is not None]
