"""Processes that do cells for a worker of a cluster, and end when nobody wants them any more."""

import os
import subprocess
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import Any

from stochi.study.work.workers import receive, send, started

SECONDS_BETWEEN_LOOKS = 0.2


class Crew:
    """Processes that know a study's samples, as many as there are threads that ask for one.

    Dask passes a copy of it to every worker that needs one, without its processes, and drops that
    as soon as the study has ended, however it did. The processes end with it, and with the worker.
    They leave the worker's own process free to answer the scheduler.

    Args:
        content: the pickled work of a process, with the samples.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.idle: list[_Hand] = []
        weakref.finalize(self, _dismiss, self.idle)

    def __reduce__(self) -> tuple[type["Crew"], tuple[bytes]]:
        return Crew, (self.content,)

    def do(self, item: bytes, is_wanted: Callable[[], bool]) -> Any:
        """Have an item done, and return its result.

        Args:
            item: the pickled item.
            is_wanted: asked again and again; once it is false, the process is killed.

        Raises:
            Unwanted: the result is not wanted any more.
            WorkerError: the process ended.
            Exception: what the work raised.
        """
        try:
            hand = self.idle.pop()
        except IndexError:
            hand = _Hand(self.content)
        try:
            result = hand.do(item, is_wanted)
        except BaseException:
            hand.close()
            raise
        self.idle.append(hand)
        return result


class Unwanted(Exception):
    """Error for a result that nobody waits for any more."""


class _Hand:
    """A process."""

    def __init__(self, content: bytes) -> None:
        self.stack = ExitStack()
        # One thread each, since a cluster has a worker for every core.
        self.connection: Connection
        self.process: subprocess.Popen[bytes]
        self.connection, self.process = self.stack.enter_context(started(os.cpu_count() or 1))
        send(self.connection, self.process, content)

    def do(self, item: bytes, is_wanted: Callable[[], bool]) -> Any:
        send(self.connection, self.process, item)
        while not self.connection.poll(SECONDS_BETWEEN_LOOKS):
            if not is_wanted():
                raise Unwanted
        return receive(self.connection, self.process)

    def close(self) -> None:
        self.stack.close()


def _dismiss(hands: list[_Hand]) -> None:
    while hands:
        hands.pop().close()
