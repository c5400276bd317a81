"""The errors that tell a user what is wrong, where, and what to do about it."""


class StochiError(Exception):
    """Base of every error that Stochi raises on purpose; its message is one line for a person."""


class ExportError(StochiError):
    """A torch model cannot be written as a NIR graph."""


class GraphError(StochiError):
    """A NIR graph, or its file, cannot be read or makes no sense."""


class LoweringError(StochiError):
    """A graph cannot be put on the chosen chip as it is."""


class ProgramError(StochiError):
    """A Program, or its file, is damaged, foreign or inconsistent."""


class InputError(StochiError, ValueError):
    """Data or an option that was passed in has the wrong shape, range or type."""


def first_line(error: Exception) -> str:
    """What another library's error says in its first line, or its name where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]
