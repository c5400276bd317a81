"""Processes that end with their parent."""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

ENDING = (signal.SIGINT, signal.SIGTERM)
"""Signals that ask a process to end."""
SECONDS_BETWEEN_LOOKS = 0.5
_PR_SET_PDEATHSIG = 1


@contextmanager
def starting_children() -> Iterator[None]:
    """Hold back SIGINT and SIGTERM from the processes that this thread starts in the block.

    Ctrl-C reaches the whole process group of a terminal. A child that is not ready for it would
    print a traceback. It calls :func:`leave_signals_to_parent` as soon as it can.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_signals_to_parent() -> None:
    """Ignore Ctrl-C in this child, whose parent ends it in order, and let SIGTERM end it."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def end_with_parent(parent: int) -> None:
    """End this process as soon as its parent has ended, however that was.

    Linux does so by a signal, on which the thread counts that started the process. Elsewhere a
    thread looks twice a second.

    Args:
        parent: number of the process that started this one.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before that
            os._exit(1)
    else:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    os._exit(1)
