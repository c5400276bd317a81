"""Orderly end of a command on Ctrl-C, SIGTERM and a closed terminal, at any moment."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from stochi.temporary import release_all

STOPPED = 128
"""Added to a signal's number, the exit status of a process that the signal ended."""
GRACE = 1.0
"""Seconds in which a command may end by itself."""
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """Exception that a signal raises in the main thread.

    It is no Exception, and neither a KeyboardInterrupt nor a SystemExit, which libraries and users'
    networks catch.

    Attributes:
        number: of the signal.
        advice: line about how to continue.
    """

    def __init__(self, number: int, advice: str = "stopped") -> None:
        super().__init__(number)
        self.number = number
        self.advice = advice


def _is_importing(frame: FrameType | None) -> bool:
    """Return whether a module is being imported, as C++ may be, which an exception aborts."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


class Stopping:
    """What this process does when it is asked to end: it raises, and a second later it ends.

    The second step is for a main thread that does not come back from foreign code, or for an
    exception that foreign code has swallowed. It comes at once while a module is imported.

    Attributes:
        number: of the signal that came, None before.
        over: whether the command has ended, so that nothing is raised any more.
        told: whether the user was told.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.over = False
        self.told = False
        self.forking = threading.local()
        self.numbers = [n for n in _STOPPING if signal.getsignal(n) is not signal.SIG_IGN]

    def begin(self) -> None:
        """Take over the signals that are not ignored, as nohup ignores SIGHUP."""
        self.woken, self.wakes = os.pipe()
        os.set_blocking(self.wakes, False)
        signal.set_wakeup_fd(self.wakes, warn_on_full_buffer=False)
        threading.Thread(target=self._end_by_force, daemon=True).start()
        os.register_at_fork(
            before=self._hold_back, after_in_parent=self._let_go, after_in_child=self._leave
        )
        for number in self.numbers:
            signal.signal(number, self._stop)

    def end(self, status: int) -> NoReturn:
        """End this process, at once if it was asked to; Python takes a second to tidy up."""
        if self.number is not None:
            release_all()
            os._exit(status)
        for number in self.numbers:
            signal.signal(number, signal.SIG_DFL)
        sys.exit(status)

    def tell(self, line: str) -> None:
        """Print the line that the process ends with, as far as somebody can read it."""
        self.told = True
        with suppress(OSError, ValueError):
            print(line, file=sys.stderr, flush=True)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.number is None and not self.over:
            self.number = number
            if _is_importing(frame):
                self._end_now(number)
            raise Stopped(number)

    def _end_by_force(self) -> None:
        # The system writes a signal's number there at once, whatever the main thread does.
        while (number := os.read(self.woken, 1)[0]) not in self.numbers:
            pass
        time.sleep(GRACE)
        self._end_now(number)

    def _end_now(self, number: int) -> NoReturn:
        release_all()
        if not self.told:
            self.tell("stopped")
        os._exit(STOPPED + number)

    def _hold_back(self) -> None:
        self.forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, self.numbers)

    def _let_go(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self.forking.mask)

    def _leave(self) -> None:
        """Give the signals back in a forked child, whose end must not be its parent's."""
        signal.set_wakeup_fd(-1)
        for number in self.numbers:
            signal.signal(number, signal.SIG_DFL)
        self._let_go()


@contextmanager
def advised(advice: str) -> Iterator[None]:
    """Give a line of advice about how to continue, if the block is stopped.

    Raises:
        Stopped: with the advice.
    """
    try:
        yield
    except (KeyboardInterrupt, Stopped) as stop:
        raise Stopped(getattr(stop, "number", signal.SIGINT), advice) from stop
