"""Lava's runtime: starting it, running it, and ending its processes reliably."""

import ctypes
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from stochi.errors import StochiError

SECONDS_BETWEEN_LOOKS = 0.5
_PR_SET_PDEATHSIG = 1
_starting = threading.local()


class LavaRunError(StochiError):
    """Error of Lava's runtime while it starts or runs a Program."""


class LavaRuntime:
    """The runtime of a network of Lava processes.

    Args:
        connect: function that makes and connects the processes and returns one of them. Lava keeps
            a list of all processes ever made, and adds a log handler of each to the root logger.
            Both are undone, because every run would otherwise leak memory.
        models: process → its model. For other processes Lava imports every file of the process's
            folder at every start, which takes longer than the start itself.

    Attributes:
        process: the process that ``connect`` returned.
        made: processes that ``connect`` made.
    """

    def __init__(self, connect: Callable[[], Any], models: dict[type, type] | None = None) -> None:
        from lava.magma.core.process.process import ProcessServer

        server = ProcessServer()
        known = len(server.processes)
        with _loggers_unchanged():
            self.process = connect()
        self.made = server.processes[known:]
        self.models = models or {}

    def start(self) -> None:
        """Compile the processes and fork them, ready to run.

        Raises:
            LavaRunError: the runtime does not start.
        """
        from lava.magma.core.run_configs import Loihi2SimCfg

        config = Loihi2SimCfg(
            select_tag="fixed_pt",
            loglevel=logging.ERROR,
            exception_proc_model_map={
                process: self.models[type(process)]
                for process in self.made
                if type(process) in self.models
            },
        )
        try:
            with _children_that_end_with_us(), _loggers_unchanged():
                self.process.create_runtime(run_cfg=config)
        except Exception as error:
            self.stop()
            raise LavaRunError(f"Lava's runtime does not start: {error}") from error

    def run(self, steps: int) -> None:
        """Run a number of time steps.

        Raises:
            LavaRunError: a process failed.
        """
        from lava.magma.core.run_conditions import RunSteps

        answered = threading.Event()
        try:
            for port in self.process.runtime.service_to_runtime:
                port.observer = answered.set
            self.process.run(condition=RunSteps(num_steps=steps, blocking=False))
            # Lava itself would wait for a dead process forever.
            while not answered.wait(SECONDS_BETWEEN_LOOKS):
                self._check_processes()
            self.process.wait()
        except LavaRunError:
            raise
        except Exception as error:
            raise LavaRunError(f"Lava's runtime failed: {error}") from error

    def _check_processes(self) -> None:
        for actor in self.process.runtime._messaging_infrastructure.actors:
            if not _is_alive(actor):
                raise LavaRunError("one of Lava's processes died; it may have run out of memory")

    def stop(self) -> None:
        """End all processes, by force if one of them has died; further calls do nothing."""
        from lava.magma.core.process.process import ProcessServer

        server = ProcessServer()
        server.processes = [p for p in server.processes if p not in self.made]
        runtime, self.process.runtime, self.made = self.process.runtime, None, []
        if runtime is None:
            return
        actors = list(runtime._messaging_infrastructure.actors)
        alive = all(_is_alive(actor) for actor in actors)
        # Lava passes a stop on only after a run, and to all processes or to none.
        runtime._is_started = alive
        if not alive:
            for actor in filter(_is_alive, actors):
                actor.kill()
        runtime.stop()


def _is_alive(actor: Any) -> bool:
    try:
        return bool(actor.is_alive())
    except ValueError:  # Lava has joined and closed the process
        return False


@contextmanager
def _loggers_unchanged() -> Iterator[None]:
    loggers = [logging.getLogger(), logging.getLogger("lava.magma.compiler.compiler")]
    before = [(list(logger.handlers), logger.level) for logger in loggers]
    try:
        yield
    finally:
        for logger, (handlers, level) in zip(loggers, before, strict=True):
            logger.handlers[:] = handlers
            logger.setLevel(level)


@contextmanager
def _children_that_end_with_us() -> Iterator[None]:
    """Fork processes that end with this one.

    They ignore Ctrl-C, which reaches the whole process group of a terminal, because the parent ends
    them in order. If the parent is killed, Linux ends them.
    """
    before = None
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    _starting.parent = os.getpid()
    try:
        yield
    finally:
        _starting.parent = None
        if before is not None:
            signal.signal(signal.SIGINT, before)


def _end_with_parent() -> None:
    if getattr(_starting, "parent", None) is not None and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


os.register_at_fork(after_in_child=_end_with_parent)
