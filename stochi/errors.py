"""Errors whose message names what is wrong, where it is, and what to do about it."""

from stochi.plain_text import escape_message


class StochiError(Exception):
    """Base class of all errors that Stochi raises on purpose, with a message of one line.

    What a message quotes may come from a file, so all that is not printable is shown escaped;
    ``args`` holds it as it was given.
    """

    def __str__(self) -> str:
        return escape_message(super().__str__())


class StochiWarning(UserWarning):
    """Base class of Stochi's warnings; their text is shown as that of :class:`StochiError`."""

    def __str__(self) -> str:
        return escape_message(super().__str__())


class ExportError(StochiError):
    """Error for a torch model that cannot be written as a NIR graph."""


class GraphError(StochiError):
    """Error for a NIR graph, or its file, that cannot be read or is inconsistent."""


class LoweringError(StochiError):
    """Error for a graph that does not fit the chosen chip as it is."""


class ProgramError(StochiError):
    """Error for a Program, or its file, that is damaged, foreign or inconsistent."""


class InputError(StochiError, ValueError):
    """Error for data or an option that has the wrong shape, range or type."""


def check_at_least_one(**counts: int) -> None:
    """Raise InputError for the first of these numbers, by name, that is below 1."""
    for name, count in counts.items():
        if count < 1:
            raise InputError(f"{name} is {count}; it must be at least 1")


def first_line(error: BaseException) -> str:
    """Return the first line of another library's error, or its type if the message is empty."""
    return (str(error).splitlines() or [type(error).__name__])[0]
