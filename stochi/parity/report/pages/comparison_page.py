"""The page of several reports side by side."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from stochi.parity.report.pages.accuracy_sections import percent_cell, points_cell
from stochi.parity.report.pages.cells import (
    Cell,
    Column,
    Row,
    Section,
    Table,
    number_cell,
    text_cell,
)
from stochi.parity.report.pages.cost_sections import costs_beside
from stochi.parity.report.pages.interval_plot import Group, Point, plot_intervals
from stochi.parity.report.pages.layer_sections import MARKS
from stochi.parity.report.pages.templating import render
from stochi.parity.report.tables import RIGHT
from stochi.parity.report.verdict import clean_of, name_shown, shift_in_percent, strongest
from stochi.parity.results import CHIP, FLOAT, SIDES, AccuracyRow, Errors
from stochi.parity.words import number_interval, percent_interval

if TYPE_CHECKING:
    from stochi.parity.report.report import ParityReport

Reports = Mapping[str, "ParityReport"]
_TITLE = "Clean images, and those of the strongest attack (95 % intervals)"
_ERRORS = "Mean squared error of each report (95 % intervals)"


def render_comparison(reports: Reports) -> str:
    """Return one page of several reports; see :class:`ReportComparison`."""
    sections = [accuracy_section(reports), error_section(reports)]
    sections.append(costs_beside({name: report.costs for name, report in reports.items()}))
    sections += [layer_section(reports), setting_section(reports)]
    return render(
        "comparison.html",
        verdicts={name: report.verdict for name, report in reports.items()},
        about=", ".join(reports),
        sections=[section for section in sections if section is not None],
    )


def accuracy_section(reports: Reports) -> Section | None:
    """Return the accuracies of reports that have some."""
    shown = [(name, report, row) for name, report in reports.items() for row in _rows(report)]
    if not shown:
        return None
    side = "Share of right answers over all trials in %, and its 95 % interval over images."
    columns = [
        Column("report", "Name of the report.", False),
        Column("chip − float", "Difference in points, and its paired 95 % interval."),
        Column("images shown", "Clean images, or those of the strongest attack.", False),
        Column("number", "Number of images."),
        *(Column(f"{SIDES[one]}, %", side) for one in (FLOAT, CHIP)),
        Column("mismatches", "Number of values that differ, of all that were compared."),
    ]
    rows = []
    for name, report, row in shown:
        count = row.sides[CHIP].images
        cells = [text_cell(name), points_cell(row.differences[RIGHT])]
        cells += [text_cell(name_shown(row)), number_cell(count, f"{count:,}")]
        cells += [percent_cell(row.sides[one]) for one in (FLOAT, CHIP)]
        rows.append(Row([*cells, _mismatches(report)]))
    groups = []
    for name, _, row in shown:
        words = {s: f"{SIDES[s]}: {percent_interval(row.sides[s])} % right" for s in (FLOAT, CHIP)}
        found = [Point(s, *_ends(row, s), words[s]) for s in (FLOAT, CHIP)]
        groups.append(Group(f"{name}: {name_shown(row)}", found))
    names = {one: SIDES[one] for one in (FLOAT, CHIP)}
    figure = plot_intervals(
        "accuracies", "Accuracy of float model and chip", "% right", groups, names
    )
    text = "How often float model and chip are right in each report, clean and under attack."
    return Section("accuracy", "Accuracy", text, [Table(_TITLE, columns, rows), figure])


def error_section(reports: Reports) -> Section | None:
    """Return the errors of reports of regressions."""
    found = {name: one.errors for name, one in reports.items() if one.errors is not None}
    if not found:
        return None
    columns = [
        Column("report", "Name of the report.", False),
        Column("chip − float", "Difference on the same inputs, and its 95 % interval."),
        *(
            Column(SIDES[one], "Mean squared error, and its 95 % interval.")
            for one in (FLOAT, CHIP)
        ),
        Column("mismatches", "Number of values that differ, of all that were compared."),
    ]
    rows = []
    for name, errors in found.items():
        shift = errors.differences[RIGHT]
        cells = [text_cell(name), number_cell(shift.value, number_interval(shift))]
        cells += [_error(errors, one) for one in (FLOAT, CHIP)]
        rows.append(Row([*cells, _mismatches(reports[name])]))
    text = "How far the answers are from the right ones in each report."
    return Section("errors", "Errors", text, [Table(_ERRORS, columns, rows)])


def layer_section(reports: Reports) -> Section | None:
    """Return the difference of each layer's firing rate in each report."""
    layers = list(
        dict.fromkeys(
            name
            for report in reports.values()
            if report.distribution is not None
            for name, layer in report.distribution.layers.items()
            if layer.rate is not None
        )
    )
    if not layers:
        return None
    note = "Chip − float model in % of the float model's rate, and its 90 % interval over images."
    columns = [Column("layer", "A layer that spikes.", False)]
    columns += [Column(name, note) for name in reports]
    rows = [Row([text_cell(layer), *_rates(reports, layer)], layer) for layer in layers]
    table = Table("Firing rates, chip − float model, in % (90 % intervals)", columns, rows)
    text = (
        "Equivalent differences lie within the margin, different ones beyond it; undecided ones"
        " cross it."
    )
    return Section("layers", "Firing rates by layer", text, [table], layers)


def setting_section(reports: Reports) -> Section:
    """Return what differs between the reports' settings."""
    columns = [
        Column("report", "Name of the report.", False),
        Column("chip", "The chip whose arithmetic the Program keeps.", False),
        Column("noise", "What stands in for drawn time constants.", False),
        Column("time steps", "Time steps of a sample."),
        Column("trials", "Repetitions of every measurement."),
        Column("Lava", "Whether Lava ran.", False),
        Column("date", "When the check ran, if that is known.", False),
    ]
    rows = []
    for name, report in reports.items():
        asked, run = report.configuration, report.run
        cells = [text_cell(name), text_cell(asked.chip), text_cell(asked.noise)]
        cells += [number_cell(n, f"{n}") for n in (asked.time_steps, asked.trials)]
        cells.append(text_cell("yes" if asked.lava else "no"))
        cells.append(text_cell("–" if run is None or run.date is None else run.date))
        rows.append(Row(cells))
    text = "Differences between reports mean something if data, trials and attacks are the same."
    return Section("run", "What was run", text, [Table("Settings", columns, rows)])


def _rows(report: "ParityReport") -> Iterator[AccuracyRow]:
    for row in (clean_of(report.accuracy), strongest(report.accuracy)):
        if row is not None:
            yield row


def _ends(row: AccuracyRow, side: str) -> tuple[float, float, float]:
    found = row.sides[side]
    return 100 * found.value, 100 * found.low, 100 * found.high


def _rates(reports: Reports, layer: str) -> Iterator[Cell]:
    for report in reports.values():
        found = report.distribution
        rate = None if found is None or layer not in found.layers else found.layers[layer].rate
        if rate is None:
            yield Cell("–")
        else:
            words = shift_in_percent(rate).replace(" [", "\n[")
            words = f"{words}\n{rate.verdict}"
            yield number_cell(rate.difference, words, MARKS.get(rate.verdict, ""))


def _error(errors: Errors, side: str) -> Cell:
    found = errors.sides[side]
    return number_cell(found.value, number_interval(found))


def _mismatches(report: "ParityReport") -> Cell:
    words = f"{report.mismatches:,}\nof {report.compared:,}"
    return number_cell(report.mismatches, words, "bad" if report.mismatches else "good")
