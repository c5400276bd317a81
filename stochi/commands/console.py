"""Showing progress and results: words for people on stderr and stdout, JSON for machines."""

import json
import sys
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON, no progress.")]
SeedOption = Annotated[int, typer.Option(help="Seed of the draws; the same seed, the same bytes.")]
TrialOption = Annotated[int, typer.Option(help="Which repetition: another trial, other draws.")]
DeviceOption = Annotated[str, typer.Option(help="Where torch computes: cpu or cuda.")]

WIDEST = 1000
"""Columns of text, far more than any table has."""


def was_given(context: typer.Context, option: str) -> bool:
    """Whether the user gave that option, of this name in Python."""
    source = context.get_parameter_source(option)
    return source is not None and source.name != "DEFAULT"


class Output:
    """One command's output; ``as_json`` silences all but the final JSON."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.started = time.perf_counter()
        width = None if sys.stdout.isatty() else 120
        self.result = Console(quiet=as_json, highlight=False, width=width)
        self.status = Console(stderr=True, quiet=as_json, highlight=False, soft_wrap=True)

    def progress(self, message: str) -> None:
        """A line before each stage, with the seconds since the start."""
        seconds = time.perf_counter() - self.started
        self.status.print(f"[dim]{seconds:6.1f} s[/dim]  {message}")

    def steps(self, what: str) -> Callable[[int, int], None]:
        """A (done, total) callback that rewrites one line on a terminal."""

        def show(done: int, total: int) -> None:
            if self.status.is_terminal:
                self.status.print(f"  {what}: {done} of {total}", end="\r")
                if done == total:
                    self.status.print(" " * 60, end="\r")

        return show

    def say(self, message: str) -> None:
        """A line of the result."""
        self.result.print(message, markup=False, soft_wrap=True)

    def table(self, rows: list[list[str]], title: str, text_columns: int = 1) -> None:
        """Rows of text, the first one the head; after ``text_columns`` come numbers."""
        table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1))
        heads = [head.replace("hardware-aware", "hardware-\naware") for head in rows[0]]
        for index, head in enumerate(heads):
            text = index < text_columns
            cells = [head, *(row[index] for row in rows[1:])]
            longest = max(len(line) for cell in cells for line in cell.splitlines() or [""])
            table.add_column(
                head,
                justify="left" if text else "right",
                no_wrap=not text,
                # Where a table is too wide, what a row is about must not be what goes.
                min_width=min(longest, 14) if text else longest,
            )
        for row in rows[1:]:
            table.add_row(*row)
        # rich would leave out the last columns of a table that is too wide, without a word.
        unbounded = self.result.options.update_width(WIDEST)
        needed = self.result.measure(table, options=unbounded).minimum
        if needed > self.result.width:
            table.width = needed
        self.result.print(table, crop=False)
        self.result.print()

    def finish(self, values: dict[str, Any]) -> None:
        """Print the JSON, if that is what was asked for."""
        if self.as_json:
            print(json.dumps(values, indent=2, sort_keys=True))
