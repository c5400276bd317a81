"""Errors whose message names what is wrong, where it is, and what to do about it."""

import errno
import sys
import warnings

from stochi.plain_text import escape_lines, escape_message

LARGEST_RATE = 1e6
"""Learning rates, spreads and weights beyond this make no sense, and single precision overflows."""
_WAYS_OUT = {
    errno.ENOSPC: "free some space there, or write to another place",
    errno.EDQUOT: "free some of your quota there, or write to another place",
    errno.EFBIG: "raise the limit of a file's size (ulimit -f), or write to another place",
    errno.EROFS: "write to another place",
    errno.EACCES: "change its permissions, or give another name",
    errno.EPERM: "change its permissions, or give another name",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs, or raise the system's limit of open files",
    errno.ELOOP: "remove one of the links, or give another name",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ENXIO: "read from it first, or give the name of a file",
    errno.EPIPE: "nothing reads from it any more",
}


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


def warn_caller(message: str, category: type[StochiWarning]) -> None:
    """Warn at the line that called into the library, however deep inside this is.

    So Python's own filters show a message once, if it is about one call of the user's.
    """
    frame, level, callers = sys._getframe(1), 1, 1
    while frame.f_back is not None:
        level += 1
        if frame.f_globals.get("__name__", "").partition(".")[0] == "stochi":
            callers = level
        frame = frame.f_back
    warnings.warn(message, category, stacklevel=callers + 1)


class ExportError(StochiError):
    """Error for a torch model that cannot be written as a NIR graph; each problem on its line."""

    def __str__(self) -> str:
        return escape_lines(Exception.__str__(self))


class GraphError(StochiError):
    """Error for a NIR graph, or its file, that cannot be read or is inconsistent."""


class LoweringError(StochiError):
    """Error for a graph that does not fit the chosen chip as it is."""


class ProgramError(StochiError):
    """Error for a Program, or its file, that is damaged, foreign or inconsistent."""


class InputError(StochiError, ValueError):
    """Error for data or an option that has the wrong shape, range or type."""


class WriteError(StochiError, OSError):
    """Error for a file that could not be written; what stood under its name is unchanged.

    Attributes:
        errno, strerror, filename: as of any OSError.
    """

    def __str__(self) -> str:
        return escape_message(f"{self.filename}: not written: {explain_cause(self)}")


def explain(error: OSError) -> str:
    """Return the file, the cause and, if there is one, the way out of an error of the system."""
    if isinstance(error, WriteError):
        return str(error)
    return escape_message(f"{error.filename or 'file'}: {explain_cause(error)}")


def explain_cause(error: OSError) -> str:
    """Return the cause and, if there is one, the way out of an error of the system."""
    cause = error.strerror or (OSError.__str__(error).splitlines() or [type(error).__name__])[0]
    way_out = _WAYS_OUT.get(error.errno or 0)
    return f"{cause}; {way_out}" if way_out else cause


def check_at_least_one(**counts: int) -> None:
    """Raise InputError for the first of these numbers, by name, that is below 1."""
    for name, count in counts.items():
        if count < 1:
            raise InputError(f"{name} is {count}; it must be at least 1")


def check_not_negative(**numbers: float) -> None:
    """Raise InputError for the first of these numbers, by name, that is below 0."""
    for name, number in numbers.items():
        if number < 0:
            raise InputError(f"{name} is {number}; it must be at least 0")


def check_not_too_large(**numbers: float) -> None:
    """Raise InputError for the first of these numbers, by name, that is beyond ``LARGEST_RATE``."""
    for name, number in numbers.items():
        if number > LARGEST_RATE:
            raise InputError(f"{name} is {number:g}; it must be at most {LARGEST_RATE:,.0f}")


def first_line(error: BaseException) -> str:
    """Return the first line of another library's error, or its type if the message is empty."""
    return (str(error).splitlines() or [type(error).__name__])[0]
