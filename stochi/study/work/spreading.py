"""Cells of a study done by workers that need not see its folder, which this process alone fills."""

import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

from stochi.errors import InputError
from stochi.files import write_whole
from stochi.plain_text import counted
from stochi.study.store import Store
from stochi.study.work.cells import Carry, Cell, Waiting, do_task
from stochi.time_left import in_words


def spread(
    cells: list[Cell],
    store: Store,
    samples: tuple[Any, Any],
    carry: Carry,
    progress: Callable[[str], None],
) -> None:
    """Have cells done, keep what they find as soon as it arrives, and tell the time left.

    Args:
        cells: the cells.
        store: the study's store.
        samples: training and test samples.
        carry: how cells get to the workers.
        progress: called with a line of text after every cell.

    Raises:
        InputError: a file was deleted that a cell needs.
    """
    waiting, count = Waiting(cells, store.folder), len(cells)
    begun, total, paid = time.monotonic(), sum(cell.cost for cell in cells), 0.0
    work = partial(do_task, training=samples[0], test=samples[1])
    # Closed if something is raised here: the workers would finish their cells otherwise.
    with closing(carry(work, waiting)) as coming:
        for number, done in enumerate(coming, 1):
            for name, content in done.files.items():
                write_whole(store.folder / name, content)
            paid += done.cell.cost
            left = (total - paid) / paid * (time.monotonic() - begun) if paid else 0
            by = f", by {done.by}" if done.by else ""
            cells_ = f"{number} of {counted(count, 'cell')}"
            progress(f"{cells_}: {done.cell.title}{by}; about {in_words(left)} left")
    if waiting.cells:
        raise InputError(
            f"{store.folder} lacks {', '.join(waiting.missing()[:3])}, which was deleted during the"
            " study; start the study again, and it is made again"
        )
