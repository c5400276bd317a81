"""What a reader of a torch function is."""

from typing import Protocol

from stochi.export.recording import Event
from stochi.export.run import Run
from stochi.export.values import Value


class Reader(Protocol):
    """A function that says what the results of a torch function stand for."""

    def __call__(self, run: Run, event: Event) -> list[Value] | None:
        """Return one value for each result, or None if a graph cannot express the function."""
