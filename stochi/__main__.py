"""The ``stochi`` command as a process of its own; ``python -m stochi`` is the same."""

import os
import sys
import tempfile
from contextlib import suppress
from functools import partial

from stochi.commands.ending import run_to_its_end
from stochi.commands.stopping import Stopping
from stochi.temporary import remove_left_behind


def main() -> None:
    """Run the command line; no signal and no closed stream ends it with a traceback."""
    _open_closed_streams()
    with suppress(OSError):  # no folder for temporary files, which few commands need
        remove_left_behind(tempfile.gettempdir())
    stopping = Stopping()
    stopping.end(run_to_its_end(partial(_run, stopping), stopping))


def _run(stopping: Stopping) -> object:
    stopping.begin()
    from stochi.commands.app import run  # takes a while, in which signals come, too

    return run()


def _open_closed_streams() -> None:
    """Give stdin, stdout and stderr a place, since the next file would take the one that is free.

    What the terminal cannot show is shown escaped.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


if __name__ == "__main__":
    main()
