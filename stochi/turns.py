"""Turns at what a process has once: torch's generators, the models of its threads, and Lava.

A torch model draws from torch's global generators, keeps states in its neurons, and has one mode.
So what asks models, in whatever thread, takes a turn: two checks in two threads give the numbers
that each gives alone. Running Programs on the engine needs no turn, since it draws from counters.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

import torch

_TURNS: dict[int, RLock] = {}
"""Process → its lock. A forked child has a lock of its own, since its parent's may stay locked."""


@contextmanager
def turn() -> Iterator[None]:
    """Wait until no other thread of this process is inside; a thread may enter again."""
    with _TURNS.setdefault(os.getpid(), RLock()):
        yield


@contextmanager
def generators_kept() -> Iterator[None]:
    """Take a turn, and then leave torch's global generators as they were."""
    with turn(), torch.random.fork_rng(devices=_cuda_generators()):
        yield


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Take a turn with torch's generators seeded, and leave them as they were."""
    with generators_kept():
        torch.manual_seed(seed)
        yield


def _cuda_generators() -> list[int]:
    """Return the CUDA devices whose generators seeding torch would change."""
    return list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
