"""A report with the time and the words of the command that made it."""

import os
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stochi.parity import ParityReport

EPOCH = "SOURCE_DATE_EPOCH"
"""Environment variable that sets the date of what is made, so that its bytes can be made again
(https://reproducible-builds.org/specs/source-date-epoch/): seconds since 1970."""


def with_command(report: "ParityReport", data: str) -> "ParityReport":
    """Return a report of this command, run now.

    Args:
        data: what the data are called.
    """
    known = "" if report.run is None else f": {report.run.data}"
    words = ["stochi", *sys.argv[1:]]
    return report.dated(_now(), command=words, data=f"{data}{known}")


def _now() -> datetime:
    """Return the date that the environment sets, else the time of the clock."""
    try:
        return datetime.fromtimestamp(int(os.environ[EPOCH]), timezone.utc)
    except (KeyError, ValueError, OverflowError, OSError):
        return datetime.now(timezone.utc)
