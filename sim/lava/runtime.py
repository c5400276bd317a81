"""Lava's runtime: starting it, running it, and ending its processes reliably."""

import errno
import logging
import mmap
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from stochi.errors import StochiError, explain_cause
from stochi.processes import end_with_parent, leave_signals_to_parent, starting_children

SECONDS_BETWEEN_LOOKS = 0.5
_starting = threading.local()
_one_start = threading.Lock()


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
        before = multiprocessing.active_children()
        try:
            with _children_that_end_with_us(), _loggers_unchanged(), _memory_without_names():
                self.process.create_runtime(run_cfg=config)
        except BaseException as error:
            self.stop(by_force=True)
            for child in multiprocessing.active_children():
                if child not in before:
                    child.kill()
            if not isinstance(error, Exception):
                raise
            raise LavaRunError(f"Lava's runtime does not start: {_why(error)}") from error

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
            raise LavaRunError(f"Lava's runtime failed: {_why(error)}") from error

    def _check_processes(self) -> None:
        for actor in self.process.runtime._messaging_infrastructure.actors:
            if not _is_alive(actor):
                raise LavaRunError("one of Lava's processes died; it may have run out of memory")

    def stop(self, by_force: bool = False) -> None:
        """End all processes; further calls do nothing.

        Args:
            by_force: whether to kill them, in the middle of a run, for example. If one of them has
                died, the others are killed anyway.
        """
        from lava.magma.core.process.process import ProcessServer

        server = ProcessServer()
        server.processes = [p for p in server.processes if p not in self.made]
        runtime = self.process.runtime
        for process in self.made:
            process.runtime = None  # it would stop the runtime again when it is deleted
        self.made = []
        if runtime is None:
            return
        actors = list(runtime._messaging_infrastructure.actors)
        alive = not by_force and all(_is_alive(actor) for actor in actors)
        # Lava passes a stop on only after a run, and to all processes or to none.
        runtime._is_started = alive
        if not alive:
            for actor in filter(_is_alive, actors):
                actor.kill()
        try:
            runtime.stop()
        except Exception:
            if alive:
                raise


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

    They ignore Ctrl-C, because the parent ends them in order. If the parent is killed, the system
    ends them.
    """
    _starting.parent = os.getpid()
    try:
        with starting_children():
            yield
    finally:
        _starting.parent = None


def _begin_as_child() -> None:
    parent = getattr(_starting, "parent", None)
    if parent is not None:
        _starting.parent = os.getpid()
        leave_signals_to_parent()
        end_with_parent(parent)


os.register_at_fork(after_in_child=_begin_as_child)


class _Block:
    """Memory that forked processes share, as Lava's ports use it.

    Attributes:
        buf: its bytes.
    """

    def __init__(self, size: int) -> None:
        self.buf = memoryview(mmap.mmap(-1, size))


class _InheritedMemory:
    """Lava's manager of shared memory, without a process, names or files.

    Lava takes memory from /dev/shm, which is small in a container: writing to it ends the process
    if it is full, and a kill leaves what was taken. Forked processes can inherit memory instead.
    """

    def start(self) -> None:
        """Do nothing."""

    def shutdown(self) -> None:
        """Do nothing; memory goes with the last port that uses it."""

    def create_shared_memory(self, size: int) -> _Block:
        """Return new memory, of a size in bytes."""
        return _Block(size)


@contextmanager
def _memory_without_names() -> Iterator[None]:
    """Let a runtime that starts in the block use :class:`_InheritedMemory`."""
    from lava.magma.runtime.message_infrastructure import multiprocessing as infrastructure

    with _one_start:
        before = infrastructure.SharedMemoryManager
        infrastructure.SharedMemoryManager = _InheritedMemory
        try:
            yield
        finally:
            infrastructure.SharedMemoryManager = before


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return (
            "/dev/shm, where its semaphores are, is full; make it larger (docker run"
            " --shm-size=1g), or use the engine"
        )
    return explain_cause(error) if isinstance(error, OSError) else str(error)
