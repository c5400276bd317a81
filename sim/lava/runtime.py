"""Start Lava's runtime, let it run, and be sure that its processes end."""

import ctypes
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from stochi.errors import StochiError

_PR_SET_PDEATHSIG = 1
_starting = threading.local()


class LavaRunError(StochiError):
    """The Lava runtime failed while it ran a Program."""


class LavaRuntime:
    """The runtime of all processes that are connected to ``process``."""

    def __init__(self, process: Any, models: dict[type, type] | None = None) -> None:
        self.process = process
        self.models = models or {}

    def start(self) -> None:
        """Compile the processes and fork them, ready to run."""
        from lava.magma.core.run_configs import Loihi2SimCfg

        config = Loihi2SimCfg(
            select_tag="fixed_pt",
            loglevel=logging.ERROR,
            exception_proc_model_map=self.models,
        )
        try:
            with _children_that_end_with_us():
                self.process.create_runtime(run_cfg=config)
        except Exception as error:
            self.stop()
            raise LavaRunError(f"Lava's runtime does not start: {error}") from error

    def run(self, steps: int) -> None:
        """Let it run; raise LavaRunError where a process fails."""
        from lava.magma.core.run_conditions import RunSteps

        try:
            self.process.run(condition=RunSteps(num_steps=steps))
        except Exception as error:
            raise LavaRunError(f"Lava's runtime failed: {error}") from error

    def stop(self) -> None:
        """End all processes, by force where one of them has died. May be called again."""
        runtime, self.process.runtime = self.process.runtime, None
        if runtime is None:
            return
        actors = list(runtime._messaging_infrastructure.actors)
        alive = all(actor.is_alive() for actor in actors)
        # Lava passes a stop on only once it has run, and to all or to none.
        runtime._is_started = alive
        if not alive:
            for actor in actors:
                actor.kill()
        runtime.stop()


@contextmanager
def _children_that_end_with_us() -> Iterator[None]:
    """Processes forked in here ignore Ctrl-C, which reaches the terminal's whole group, since the
    parent ends them in order; and Linux ends them should the parent be killed."""
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
