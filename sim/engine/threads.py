"""Threads that work on samples of their own, beside torch's own threads."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def one_torch_thread() -> Iterator[int]:
    """Limit torch to the calling thread; yield the number of threads that it used before."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield before
    finally:
        torch.set_num_threads(before)


def in_threads(
    work: Callable[[Item], Result], items: Sequence[Item], threads: int
) -> Iterator[Result]:
    """Yield ``work(item)`` for every item, in order.

    The calling thread works too. However the iterator ends, no work is in progress afterwards; an
    interrupt waits for the items that were begun.
    """
    with one_torch_thread():
        if min(threads, len(items)) < 2:
            yield from map(work, items)
            return
        places = iter(range(len(items)))
        results: dict[int, Result] = {}

        def work_on() -> bool:
            place = next(places, None)  # one step of a C iterator, so no two threads get the same
            if place is not None:
                results[place] = work(items[place])
            return place is not None

        def helper() -> None:
            while work_on():
                pass

        helpers = [_pool(threads - 1).submit(helper) for _ in range(threads - 1)]
        try:
            yielded = 0
            while yielded < len(items):
                over = not work_on()
                for future in helpers:
                    if over or future.done():
                        future.result()
                while yielded in results:
                    yield results.pop(yielded)
                    yielded += 1
        finally:
            places = iter(())
            wait(helpers)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    # Kept between runs, since torch takes milliseconds to prepare a new thread. MKL counts threads
    # for each caller, so every worker limits itself to one.
    return ThreadPoolExecutor(threads, "stochi-engine", lambda: torch.set_num_threads(1))
