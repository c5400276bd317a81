"""Victims examined side by side in processes, the costliest first."""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from functools import partial

from stochi.plain_text import counted
from stochi.sim.engine.threads import one_torch_thread
from stochi.study.victims import Victim
from stochi.study.work.workers import in_processes
from stochi.time_left import in_words

Examine = Callable[[Victim], int]
"""Finds and keeps a victim's missing answers, and returns their number."""


def examine_all(
    costs: Mapping[Victim, float],
    examine: Examine,
    processes: int,
    progress: Callable[[str], None],
) -> None:
    """Examine victims in processes, and tell the time left.

    Args:
        costs: what the missing answers of each victim cost, in any unit.
        examine: what is done with each, in another process.
        processes: number of victims that are examined at a time.
        progress: called with a line of text after every victim.
    """
    # The costly ones first, so that no process is left with one at the end.
    victims = sorted(costs, key=lambda victim: -costs[victim])
    begun, total, paid = time.monotonic(), sum(costs.values()), 0.0
    # Closed if something is raised here: the processes would finish their victims otherwise.
    with closing(_examined(victims, examine, processes)) as examined:
        for done, (victim, found) in enumerate(examined, 1):
            paid += costs[victim]
            left = (total - paid) / paid * (time.monotonic() - begun) if paid else 0
            progress(
                f"{done} of {counted(len(victims), 'network')}: {victim.full_title},"
                f" {counted(found, 'new answer')};"
                f" about {in_words(left)} left"
            )


def _examined(
    victims: list[Victim], examine: Examine, processes: int
) -> Generator[tuple[Victim, int], None, None]:
    """Yield each victim, in the order in which they are done, with its number of new answers."""
    work = partial(_examine_alone, examine)
    if processes == 1:
        yield from map(work, victims)
    else:
        yield from in_processes(work, victims, processes)


def _examine_alone(examine: Examine, victim: Victim) -> tuple[Victim, int]:
    """Examine a victim with one thread, because processes share the cores."""
    with one_torch_thread():
        return victim, examine(victim)
