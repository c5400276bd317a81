"""Cells of a study on any joblib back end."""

from collections.abc import Generator, Iterator
from itertools import chain, islice
from typing import Any

from stochi.study.work.cells import Done, Task, Waiting, Work


def on_joblib(work: Work, waiting: Waiting) -> Generator[Done, None, None]:
    """Do cells on the back end of the surrounding ``joblib.parallel_config``.

    Joblib takes no cell once it has found none ready, so they are done in rounds. Some back ends,
    such as "multiprocessing", give no result before the last of a round; theirs are short.

    Args:
        work: does a task.
        waiting: the cells.
    """
    from joblib import Parallel, delayed, effective_n_jobs

    parallel: Any
    try:
        parallel, most = Parallel(return_as="generator_unordered", batch_size=1), None
    except ValueError:
        parallel, most = Parallel(batch_size=1), effective_n_jobs()
    while (first := waiting.take()) is not None:
        tasks: Iterator[Task] = chain([first], iter(waiting.take, None))
        yield from parallel(delayed(_do)(work, task) for task in islice(tasks, most))


def _do(work: Work, task: Task) -> Done:
    return Done(task.cell, work(task))
