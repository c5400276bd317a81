"""Threads that work on samples of their own, beside torch's own threads."""

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def one_torch_thread() -> Iterator[int]:
    """Limit torch to the calling thread; yield the number of threads that it used before.

    The number of other threads, and of those that start meanwhile, stays as it is.
    """
    before = torch.get_num_threads()
    if before == 1:
        yield before
        return
    set_number = _setter()
    set_number(1)
    try:
        yield before
    finally:
        set_number(before)


def in_threads(
    work: Callable[[Item], Result], items: Sequence[Item], threads: int
) -> Iterator[Result]:
    """Yield ``work(item)`` for every item, in order.

    The calling thread works too. However the iterator ends, no work is in progress afterwards; an
    interrupt waits for the items that were begun. Several threads may do this at the same time;
    one of them has the helpers, and the others work alone.
    """
    with one_torch_thread(), _borrowed_pool(threads - 1 if len(items) > 1 else 0) as pool:
        if pool is None:
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

        helpers = [pool.submit(helper) for _ in range(threads - 1)]
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


@contextmanager
def _borrowed_pool(threads: int) -> Iterator[ThreadPoolExecutor | None]:
    """Lend a pool of helpers to one run; None if another run has it, or no helper is needed.

    If runs shared it, they would wait for one another.
    """
    pool, lent = _pool(os.getpid(), threads) if threads > 0 else (None, None)
    if lent is None or not lent.acquire(blocking=False):
        yield None
        return
    try:
        yield pool
    finally:
        lent.release()


@cache
def _pool(process: int, threads: int) -> tuple[ThreadPoolExecutor, Lock]:
    # Kept between runs, since torch takes milliseconds to prepare a new thread. A forked child has
    # none of its parent's threads, so every process has a pool of its own.
    return ThreadPoolExecutor(threads, "stochi-engine", _limit_worker), Lock()


def _limit_worker() -> None:
    torch.get_num_threads()  # torch prepares the thread, which sets its number
    _setter()(1)


@cache
def _setter() -> Callable[[int], None]:
    """Return a function that sets torch's number of threads for the calling thread alone.

    ``torch.set_num_threads`` also sets it for all threads that start later. It is the fallback on
    systems on which the functions of OpenMP are not found through torch's library, like Windows.
    """
    library = ctypes.PyDLL(torch._C.__file__)
    try:
        of_openmp = library.omp_set_num_threads
    except AttributeError:
        return torch.set_num_threads
    of_mkl = getattr(library, "MKL_Set_Num_Threads_Local", None)

    def set_number(number: int) -> None:
        of_openmp(number)
        if of_mkl is not None:
            of_mkl(number)

    return set_number
