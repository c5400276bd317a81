"""Orderly end of a command that runs for long, in several processes."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPED = 128
"""Added to a signal's number, the exit status of a process that the signal ended."""


@contextmanager
def stopped_in_order(advice: str) -> Iterator[None]:
    """End the block by an exception on SIGTERM, as Ctrl-C does, so that it can clean up.

    Args:
        advice: a line for stderr about how to continue, printed if either of them comes.

    Raises:
        SystemExit: with status 143, if SIGTERM comes.
        KeyboardInterrupt: if Ctrl-C comes, as without this function.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(STOPPED + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        print(advice, file=sys.stderr)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
