"""``stochi compare``, several reports side by side."""

from pathlib import Path
from typing import Annotated

import typer

from stochi.commands.console import Output
from stochi.commands.habits import check_new_figure, check_new_output
from stochi.commands.options import JsonOption

ReportsArgument = Annotated[
    list[Path], typer.Argument(help="Reports of 'stochi parity', JSON files.", metavar="REPORT...")
]
PageOption = Annotated[Path | None, typer.Option(help="HTML page to write.")]
CsvOption = Annotated[Path | None, typer.Option(help="Numbers to write, as CSV.")]
LatexOption = Annotated[Path | None, typer.Option(help="Table to write, as a LaTeX tabular.")]
MarkdownOption = Annotated[Path | None, typer.Option(help="Table to write, as Markdown.")]
FigureOption = Annotated[
    Path | None,
    typer.Option(help="Figure to write: SVG, PDF or PNG, as its name ends. One report is enough."),
]


def compare_command(
    reports: ReportsArgument,
    *,
    html: PageOption = None,
    csv: CsvOption = None,
    latex: LatexOption = None,
    markdown: MarkdownOption = None,
    figure: FigureOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show several parity reports side by side: verdicts, accuracies, differences, mismatches."""
    from stochi.parity import compare_reports, load_reports

    output = Output(as_json)
    files = [html, csv, latex, markdown]
    for number, file in enumerate(files):
        check_new_output(file, *reports, *files[:number])
    check_new_figure(figure, *reports, *files)
    found = compare_reports(load_reports(reports))
    for line in f"{found}".split("\n"):
        output.line(line)
    writers = (found.to_html, found.to_csv, found.to_latex, found.to_markdown, found.to_figure)
    for file, write in zip((*files, figure), writers, strict=True):
        if file is not None:
            write(file)
            output.line(f"Wrote {file}")
    values = {name: report.verdict.text for name, report in found.reports.items()}
    output.finish({"verdicts": values, "records": found.records()})
