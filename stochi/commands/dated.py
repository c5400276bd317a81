"""A report with the time and the words of the command that made it."""

import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stochi.parity import ParityReport


def with_command(report: "ParityReport", data: str) -> "ParityReport":
    """Return a report of this command, run now.

    Args:
        data: what the data are called.
    """
    known = "" if report.run is None else f": {report.run.data}"
    words = ["stochi", *sys.argv[1:]]
    return report.dated(datetime.now(timezone.utc), command=words, data=f"{data}{known}")
