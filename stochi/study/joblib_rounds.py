"""Cells of a study on any joblib back end."""

from collections.abc import Generator
from itertools import chain

from stochi.study.cells import Done, Task, Waiting, Work


def on_joblib(work: Work, waiting: Waiting) -> Generator[Done, None, None]:
    """Do cells on the back end of the surrounding ``joblib.parallel_config``.

    Joblib takes no cell once it has found none ready, so they are done in rounds.

    Args:
        work: does a task.
        waiting: the cells.
    """
    from joblib import Parallel, delayed

    while (first := waiting.take()) is not None:
        tasks = chain([first], iter(waiting.take, None))
        parallel = Parallel(return_as="generator_unordered", batch_size=1)
        yield from parallel(delayed(_do)(work, task) for task in tasks)


def _do(work: Work, task: Task) -> Done:
    return Done(task.cell, work(task))
