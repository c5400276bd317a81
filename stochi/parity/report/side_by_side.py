"""Several reports side by side: models, or stand-ins of one model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stochi.arguments import check_arguments
from stochi.errors import InputError
from stochi.files import write_whole
from stochi.parity.report.comparison_figure import draw_comparison
from stochi.parity.report.cost_words import SIDE_BY_SIDE, cost_rows
from stochi.parity.report.formats import csv_of, latex_of, markdown_of
from stochi.parity.report.pages.comparison_page import render_comparison
from stochi.parity.report.pages.fragment import render_fragments
from stochi.parity.report.report import ParityReport
from stochi.parity.report.tables import RIGHT, Rows
from stochi.parity.report.verdict import clean_of, name_shown, strongest
from stochi.parity.results import CHIP, FLOAT, AccuracyRow, Errors
from stochi.parity.terminal import fit_table, terminal_width, wrap
from stochi.parity.words import (
    number_interval,
    percent_interval,
    points,
    signed_interval,
)
from stochi.statistics.intervals import Estimate

if TYPE_CHECKING:  # pandas is not needed for anything else
    from pandas import DataFrame

ACCURACY, ERROR = "accuracy", "mean squared error"
_TITLE = "Clean images, and those of the strongest attack (95 % intervals)"
Numbers = dict[str, Estimate]
"""Float model's, chip's, and their difference."""


@dataclass(frozen=True, repr=False)
class ReportComparison:
    """Reports side by side, of :func:`compare_reports`.

    Attributes:
        reports: name → report.
    """

    reports: Mapping[str, ParityReport]

    def records(self) -> list[dict[str, Any]]:
        """Return a dict for each report's clean images, and for those of its strongest attack.

        Its keys are ``report``, ``shown`` ("clean", or the attack), ``images``, ``measure``
        ("accuracy", a share, or "mean squared error"), ``float``, ``chip`` and ``difference``
        (chip − float), each also with ``_low`` and ``_high``, its 95 % interval, ``compared`` and
        ``mismatches`` (numbers of values), ``verdict`` (its level), and of a sample, None if it is
        not known: ``cores``, ``operations`` (synaptic ones), ``spikes``, ``nanojoules`` and
        ``reference`` (whether these are at another chip's figures).
        """
        return [record for record, _ in self._numbers()]

    def table(self) -> Rows:
        """Rows of the same as text, the first row being the head."""
        rows = [["report: images shown", "float model", "chip", "chip − float", "mismatches"]]
        for record, numbers in self._numbers():
            shift = numbers[RIGHT]
            if record["measure"] == ACCURACY:
                texts = [
                    *(percent_interval(numbers[side]) for side in (FLOAT, CHIP)),
                    points(shift),
                ]
            else:
                texts = [number_interval(numbers[side]) for side in (FLOAT, CHIP)]
                texts.append(signed_interval(shift.value, shift.low, shift.high, 4))
            cells = [text.replace(" [", "\n[") for text in texts]
            rows.append(
                [f"{record['report']}: {record['shown']}", *cells, f"{record['mismatches']:,}"]
            )
        return rows

    def cost_table(self) -> Rows:
        """Rows of what a sample costs in each report, the first row being the head."""
        return cost_rows({name: report.costs for name, report in self.reports.items()})

    def to_pandas(self) -> "DataFrame":
        """Return the :meth:`records` as a pandas DataFrame.

        Raises:
            InputError: pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ImportError:
            raise InputError(
                "pandas is not installed; 'pip install pandas', or use records()"
            ) from None
        return DataFrame(self.records())

    def to_csv(self, path: str | Path) -> None:
        """Write the :meth:`records` as CSV."""
        check_arguments(ReportComparison.to_csv, locals())
        records = self.records()
        write_whole(path, csv_of([list(records[0]), *(list(r.values()) for r in records)]))

    def to_markdown(self, path: str | Path) -> None:
        """Write the :meth:`table` as Markdown."""
        check_arguments(ReportComparison.to_markdown, locals())
        write_whole(path, markdown_of(self.table()))

    def to_latex(self, path: str | Path) -> None:
        """Write the :meth:`table` as a tabular of LaTeX."""
        check_arguments(ReportComparison.to_latex, locals())
        write_whole(path, latex_of(self.table()))

    def to_html(self, path: str | Path) -> None:
        """Write one page that needs nothing else."""
        check_arguments(ReportComparison.to_html, locals())
        write_whole(path, render_comparison(self.reports))

    def to_figure(self, path: str | Path) -> None:
        """Draw accuracies and their differences with 95 % intervals, and accuracy against ε.

        Args:
            path: ends in .svg, .pdf or .png, which says the format. The same reports give the same
                bytes.

        Raises:
            InputError: the name ends otherwise.
        """
        check_arguments(ReportComparison.to_figure, locals())
        draw_comparison(self.reports, path)

    def __repr__(self) -> str:
        return f"ReportComparison({', '.join(map(repr, self.reports))})"

    def __str__(self) -> str:
        """Verdicts and tables, in lines that fit the terminal."""
        width = terminal_width()
        parts = [
            wrap(f"{name}: {report.verdict.headline}", width)
            for name, report in self.reports.items()
        ]
        parts += [
            [*wrap(title, width), *fit_table(rows, width)] for title, rows in self._tables().items()
        ]
        return "\n\n".join("\n".join(lines) for lines in parts)

    def _repr_html_(self) -> str:
        """Verdicts and tables, for a notebook."""
        return render_fragments(self.reports, self._tables())

    def _tables(self) -> dict[str, Rows]:
        """Return the tables that have rows, by their titles."""
        tables = {_TITLE: self.table(), SIDE_BY_SIDE: self.cost_table()}
        return {title: rows for title, rows in tables.items() if len(rows) > 1}

    def _numbers(self) -> list[tuple[dict[str, Any], Numbers]]:
        """Return each record with the estimates that it is made of."""
        return [pair for name, report in self.reports.items() for pair in _of(name, report)]


def compare_reports(reports: Mapping[str, ParityReport]) -> ReportComparison:
    """Set reports side by side.

    Args:
        reports: name → report, of at least one; :func:`load_reports` reads them from files.

    Raises:
        InputError: there is no report, or one with neither accuracies nor errors.
    """
    check_arguments(compare_reports, locals())
    if not reports:
        raise InputError("there is no report to compare; pass at least one")
    for name, report in reports.items():
        if report.errors is None and clean_of(report.accuracy) is None:
            raise InputError(f"the report {name} has neither accuracies nor errors")
    return ReportComparison(dict(reports))


def load_reports(paths: Sequence[str | Path]) -> dict[str, ParityReport]:
    """Read reports from files, by names that tell them apart.

    Raises:
        InputError: a file is named twice, or is none that :meth:`ParityReport.load` reads.
    """
    check_arguments(load_reports, locals())
    files = [Path(path) for path in paths]
    return dict(zip(name_files(files), map(ParityReport.load, files), strict=True))


def name_files(files: Sequence[Path]) -> list[str]:
    """Return the stem of each file, behind as much of its folder as tells it from the others.

    Raises:
        InputError: a file is named twice.
    """
    places = [file.resolve() for file in files]
    for place, file in zip(places, files, strict=True):
        if places.count(place) > 1:
            raise InputError(f"{file} is named twice; name each report once")
    parts = [(*place.parts[1:-1], place.stem) for place in places]
    # Files that differ in their endings only are told apart by these.
    whole = len(set(parts)) < len(parts)
    parts = [place.parts[1:] for place in places] if whole else parts
    names = []
    for own in parts:
        length = 1
        while sum(other[-length:] == own[-length:] for other in parts) > 1:
            length += 1
        names.append("/".join(own[-length:]))
    return names


def _of(name: str, report: ParityReport) -> list[tuple[dict[str, Any], Numbers]]:
    """Return the records of a report."""
    if report.errors is not None:
        return [_record(name, report, "all inputs", report.errors)]
    rows = [clean_of(report.accuracy), strongest(report.accuracy)]
    return [_record(name, report, name_shown(row), row) for row in rows if row is not None]


def _record(
    name: str, report: ParityReport, shown: str, found: AccuracyRow | Errors
) -> tuple[dict[str, Any], Numbers]:
    numbers = {side: found.sides[side] for side in (FLOAT, CHIP)}
    numbers[RIGHT] = found.differences[RIGHT]
    measure = ERROR if isinstance(found, Errors) else ACCURACY
    record: dict[str, Any] = {"report": name, "shown": shown}
    record |= {"images": numbers[CHIP].images, "measure": measure}
    for key, one in zip(("float", "chip", "difference"), numbers.values(), strict=True):
        record |= {key: one.value, f"{key}_low": one.low, f"{key}_high": one.high}
    record |= {"compared": report.compared, "mismatches": report.mismatches}
    record |= {"verdict": report.verdict.level, **_costs(report)}
    return record, numbers


def _costs(report: ParityReport) -> dict[str, Any]:
    costs = report.costs
    if costs is None or not costs.layers:
        return dict.fromkeys(("cores", "operations", "spikes", "nanojoules", "reference"))
    energy = costs.energy
    return {
        "cores": None if costs.cores is None else costs.cores.taken,
        "operations": costs.operations,
        "spikes": costs.spikes,
        "nanojoules": None if energy is None else energy.all_events,
        "reference": None if energy is None else energy.reference,
    }
