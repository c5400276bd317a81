"""Timing of several actions, which run in turns; their medians are compared."""

import statistics
import time
from collections.abc import Callable

TURN_SECONDS = 0.3


def in_turns(actions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Measure the median seconds of each action.

    In a round each has its turn: once to warm up, since the one before used the caches, then
    repeatedly for a third of a second.
    """
    taken: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            end = time.perf_counter() + TURN_SECONDS
            if end - start > 3 * TURN_SECONDS:  # so long that warming up does not show
                taken[name].append(time.perf_counter() - start)
                continue
            while time.perf_counter() < end:
                start = time.perf_counter()
                action()
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in taken.items()}
