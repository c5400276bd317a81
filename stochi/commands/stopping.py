"""How a command that works for long, in several processes, is stopped."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPED = 128
"""Added to a signal's number, it is the exit status of what the signal ended."""


@contextmanager
def stopped_in_order(advice: str) -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does: by an exception, so that what it began is ended too.

    Args:
        advice: a line about how to go on, for stderr, when either of them came.

    Raises:
        SystemExit: with status 143, where SIGTERM came.
        KeyboardInterrupt: where Ctrl-C came, as without this.
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
