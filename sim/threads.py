"""Threads that each work on samples of their own, beside a torch that has threads too."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """In here torch computes in the thread that calls it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def in_threads(
    work: Callable[[Item], Result], items: Sequence[Item], threads: int
) -> Iterator[Result]:
    """Yield ``work(item)`` in order. Nothing is under way once the iterator ends, by whatever way;
    an interrupt waits for the items that were begun."""
    with one_torch_thread():
        if min(threads, len(items)) < 2:
            yield from map(work, items)
            return
        pool, ahead = _pool(threads), 2 * threads
        waiting = [pool.submit(work, item) for item in items[:ahead]]
        try:
            for place in range(len(items)):
                yield waiting[place].result()
                if place + ahead < len(items):
                    waiting.append(pool.submit(work, items[place + ahead]))
        finally:
            for future in waiting:
                future.cancel()
            wait(future for future in waiting if not future.cancelled())


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    # Kept from run to run, since torch prepares each new thread for milliseconds. MKL counts its
    # threads for each caller, so every worker has to ask for one of its own.
    return ThreadPoolExecutor(threads, "stochi-engine", lambda: torch.set_num_threads(1))
