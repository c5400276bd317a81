"""Output of progress and results: text on stderr and stdout for people, JSON for programs."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from typing import Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from stochi.commands.habits import current_habits
from stochi.plain_text import Lines, escape_lines, escape_message, escape_text
from stochi.text_width import columns_of, wrap_text
from stochi.time_left import TimeLeft, Told, in_words

WIDEST = 1000
"""Columns of text, far more than any table has."""
_WIDTH = 80
"""Columns of tables that go to a file or a pipe."""
_NAME, _NARROW = 14, 8
"""Columns that a name is broken to where a table is too wide, and where that is not enough."""
_PADDING = 3
"""Columns between two columns of a table, and one at its left edge."""
_LINE = 60
"""Columns that a counter's line takes at least, so that a shorter one covers a longer one."""


class Output:
    """Output of one command; with ``as_json`` it is only the final JSON."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        quiet = as_json or current_habits().quiet
        self.started = time.perf_counter()
        self.stdout = sys.stdout
        width = None if sys.stdout.isatty() else _WIDTH
        self.result = Console(file=sys.stdout, quiet=as_json, highlight=False, width=width)
        self.status = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)

    def silence(self) -> None:
        """Print nothing any more: another process of this command does."""
        self.as_json, self.result.quiet, self.status.quiet = False, True, True

    def progress(self, message: str) -> None:
        """Print a line of progress, with the seconds since the start."""
        seconds = time.perf_counter() - self.started
        self.status.print(f"[dim]{seconds:6.1f} s[/dim]  {escape(escape_text(message))}")

    def counter(self, what: str) -> Callable[[int, int], None]:
        """Return a (done, total) callback that tells the time left.

        On a terminal it rewrites one line; elsewhere it prints one from time to time.
        """
        left, told = TimeLeft(), Told(self.progress)

        def show(done: int, total: int) -> None:
            seconds = left.after(done, total)
            if not self.status.is_terminal:
                told.count(what, done, total)
            else:
                line = f"  {escape_text(what)}: {done} of {total}, {in_words(seconds)} left"
                self.status.print(escape(f"{line:{_LINE}}"), end="\r")
                if done == total:
                    self.status.print(" " * _LINE, end="\r")

        return show

    def line(self, message: str) -> None:
        """Print a line of the result as it is, such as a path or a command, to be copied."""
        self.result.print(escape_text(message), markup=False, emoji=False, soft_wrap=True)

    def prose(self, message: str, command: str = "") -> None:
        """Print a sentence in lines that fit, and after it a command on a line of its own.

        Args:
            message: the sentence.
            command: what a reader may copy; it is not broken.
        """
        whole = f"{message} {command}".rstrip()
        if columns_of(whole) <= self.result.width:
            self.line(whole)
            return
        for line in wrap_text(escape_text(message), max(2, self.result.width)):
            self.line(line)
        if command:
            self.line(f"  {command}")

    def warning(self, message: str) -> None:
        """Print a warning on stderr, also beside JSON, unless the command printed it before."""
        shown, told = escape_message(" ".join(message.split())), current_habits().told
        if shown not in told:
            told.add(shown)
            print(f"Warning: {shown}", file=sys.stderr)

    def leave_stdout(self, context: typer.Context) -> None:
        """Send what others print, such as a user's network, to stderr until the command ends."""
        context.with_resource(redirect_stdout(sys.stderr))

    def table(self, rows: list[list[str]], title: str, text_columns: int = 1) -> None:
        """Print a table.

        Args:
            rows: rows of text; the first row is the head.
            text_columns: number of columns, from the left, that are text; the others are numbers.
        """
        head, *body = rows
        # The first columns hold names, from files perhaps, whose line breaks are not ours.
        shown = [list(map(escape_lines, head))]
        for row in body:
            names = [t if isinstance(t, Lines) else escape_text(t) for t in row[:text_columns]]
            shown.append([*names, *map(escape_lines, row[text_columns:])])
        widths = least_widths(shown, text_columns, self.result.width)
        parts = split_columns(widths, text_columns, self.result.width)
        for number, columns in enumerate(parts):
            name = escape_lines(title) if not number else f"{escape_lines(title)}, continued"
            cells = [[row[column] for column in columns] for row in shown]
            self._print_table(cells, name, text_columns, [widths[column] for column in columns])

    def _print_table(
        self, shown: list[list[str]], title: str, text_columns: int, widths: Sequence[int]
    ) -> None:
        """Print rows that fit the width, without blanks at the ends of lines."""
        table = Table(box=box.SIMPLE, padding=(0, 1))
        for index, cells in enumerate(zip(*shown, strict=True)):
            text = index < text_columns
            table.add_column(
                Text(cells[0]),
                justify="left" if text else "right",
                no_wrap=not text and widths[index] >= _longest(cells),
                overflow="fold",
                # If a table is too wide, the names of its rows must not be cut away.
                min_width=widths[index],
            )
        for row in shown[1:]:
            table.add_row(*map(Text, row))
        # rich leaves out the last columns of a table that is too wide, without a warning.
        unbounded = self.result.options.update_width(WIDEST)
        needed = self.result.measure(table, options=unbounded).minimum
        words = [_word(cells) for cells in zip(*shown, strict=True)]
        needed = max(needed, _table_width(list(map(max, words, widths))))
        longest = [_longest(cells) for cells in zip(*shown, strict=True)]
        # rich narrows columns below their least widths, and is too wide then by a little.
        narrow = _table_width(longest) > self.result.width < _WIDTH
        if narrow or needed > self.result.width:
            exact = _widened(widths, longest, self.result.width)
            for column, columns in zip(table.columns, exact, strict=True):
                column.width = columns
        with self.result.capture() as captured:
            # Above a table rather than in it, where it would be as narrow as the table.
            for sentence in title.splitlines():
                for line in wrap_text(sentence, self.result.width):
                    self.result.print(Text(line, style="table.title"))
            self.result.print(table, crop=False)
        lines = captured.get().splitlines()
        if not self.result.is_terminal:  # where styles may follow the blanks
            lines = [line.rstrip() for line in lines]
        if not self.result.quiet:
            print("\n".join([*lines, ""]), file=self.result.file)

    def finish(self, values: dict[str, Any]) -> None:
        """Print the values as JSON, if JSON was asked for."""
        if self.as_json:
            print(json.dumps(values, indent=2, sort_keys=True), file=self.stdout)


def least_widths(rows: list[list[str]], text_columns: int, width: int) -> list[int]:
    """Return the least width of each column, without what is between them.

    Names may be broken into lines. Numbers are, between words, if they leave no room for names.

    Args:
        rows: rows of text; the first row is the head.
        text_columns: number of columns, from the left, that are text.
        width: columns of characters that a table may take.
    """
    columns = [list(cells) for cells in zip(*rows, strict=True)]
    longest = [_longest(cells) for cells in columns]
    # A table has the names and at least one column of numbers.
    room = width - _table_width([0] * (text_columns + 1))
    names = [min(one, _NAME) for one in longest[:text_columns]]
    most = max(map(_word, columns[text_columns:]), default=0)
    while sum(names) + most > room and max(names, default=0) > _NARROW:
        names[names.index(max(names))] -= 1
    left = room - sum(names)
    numbers = zip(columns[text_columns:], longest[text_columns:], strict=True)
    return [*names, *(one if one <= left else max(left, _word(cells)) for cells, one in numbers)]


def _widened(least: Sequence[int], longest: Sequence[int], width: int) -> list[int]:
    """Return the widths of columns that share what their least widths leave of a table's."""
    widths = list(least)
    for column, most in enumerate(longest):
        room = max(0, width - _table_width(widths))
        widths[column] = min(most, widths[column] + room)
    return widths


def _table_width(columns: Sequence[int]) -> int:
    """Return the columns of characters that a table of such columns takes."""
    return sum(columns) + _PADDING * len(columns) + 1


def split_columns(least: Sequence[int], text_columns: int, width: int) -> list[list[int]]:
    """Return the columns of each of the tables that a wide one is printed as.

    Each has the columns of text again. A column that is too wide by itself has a table alone.

    Args:
        least: the least width of each column.
        text_columns: number of columns, from the left, that are text.
        width: columns of characters that a table may take.
    """
    widths = [one + _PADDING for one in least]
    names = list(range(text_columns))
    parts, used = [names.copy()], sum(widths[:text_columns])
    for column in range(text_columns, len(widths)):
        if used + widths[column] >= width and len(parts[-1]) > text_columns:
            parts.append(names.copy())
            used = sum(widths[:text_columns])
        parts[-1].append(column)
        used += widths[column]
    return parts


def _longest(cells: Sequence[str]) -> int:
    """Return the columns of the longest line of some cells."""
    return max(columns_of(line) for cell in cells for line in cell.splitlines() or [""])


def _word(cells: Sequence[str]) -> int:
    """Return the columns of the longest word of some cells."""
    return max(columns_of(word) for cell in cells for word in cell.split() or [""])
