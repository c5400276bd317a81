"""Progress reports of attacks that take long."""

from collections.abc import Callable
from dataclasses import dataclass, field

Progress = Callable[[str], None]
"""Called with a line of progress."""


def ignore_progress(message: str) -> None:
    """Do nothing with a line of progress.

    A module's function, unlike a lambda, can be pickled as part of an attack.
    """


@dataclass(frozen=True)
class ReportsProgress:
    """Base of attacks that report their progress.

    Attributes:
        progress: called with a line repeatedly. It takes no part in comparisons: attacks that
            differ only in it are equal.
    """

    progress: Progress = field(default=ignore_progress, kw_only=True, compare=False, repr=False)
