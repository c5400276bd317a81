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
def one_torch_thread() -> Iterator[int]:
    """In here torch computes in the thread that calls it; yields how many it used before."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield before
    finally:
        torch.set_num_threads(before)


def in_threads(
    work: Callable[[Item], Result], items: Sequence[Item], threads: int
) -> Iterator[Result]:
    """Yield ``work(item)`` in order; the calling thread works too. Nothing is under way once the
    iterator ends, by whatever way; an interrupt waits for the items that were begun."""
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
            told = 0
            while told < len(items):
                over = not work_on()
                for future in helpers:
                    if over or future.done():
                        future.result()
                while told in results:
                    yield results.pop(told)
                    told += 1
        finally:
            places = iter(())
            wait(helpers)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    # Kept from run to run, since torch prepares each new thread for milliseconds. MKL counts its
    # threads for each caller, so every worker has to ask for one of its own.
    return ThreadPoolExecutor(threads, "stochi-engine", lambda: torch.set_num_threads(1))
