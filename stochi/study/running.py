"""Victims examined side by side in processes, the costliest first."""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing

import joblib
import torch

from stochi.study.victims import Victim

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
            left = (total - paid) / paid * (time.monotonic() - begun) / 60 if paid else 0
            progress(
                f"{done} of {len(victims)} networks: {victim.title}, {victim.defence}, seed"
                f" {victim.seed}, {found} new answers; about {left:.0f} min left"
            )


def _examined(
    victims: list[Victim], examine: Examine, processes: int
) -> Generator[tuple[Victim, int], None, None]:
    """Yield each victim, in the order in which they are done, with its number of new answers."""
    calls = (joblib.delayed(_examine_alone)(victim, examine) for victim in victims)
    yield from joblib.Parallel(n_jobs=processes, return_as="generator_unordered")(calls)


def _examine_alone(victim: Victim, examine: Examine) -> tuple[Victim, int]:
    """Examine a victim with one thread, because processes share the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return victim, examine(victim)
    finally:
        torch.set_num_threads(threads)
