"""Time that counted work will still take, and lines that tell it from time to time."""

import time
from collections.abc import Callable

PAUSE = 5.0
"""Least seconds between two lines about the same counted work."""


class TimeLeft:
    """Time left of work that is counted from 1, or from where it goes on, to a total.

    Args:
        clock: returns seconds.
        first: number of pieces that are done at the start; by default all but the one that ends
            first, so that work may go on where it was.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, first: int | None = None
    ) -> None:
        self.clock, self.first = clock, first
        self.before = 0
        self.done = 0
        self.begun = self.now = clock()

    def after(self, done: int, total: int) -> float:
        """Return the seconds that the rest takes at the pace so far.

        Args:
            done: number of pieces that are done; counting begins anew if it falls.
            total: number of all pieces.
        """
        if done <= self.done or not self.done:
            self.before = done - 1 if self.first is None else self.first
            self.begun = self.now
        self.done, self.now = done, self.clock()
        return (total - done) * (self.now - self.begun) / (done - self.before)


def in_words(seconds: float) -> str:
    """Return a time as people say it: 40 s, 5 min, 2 h 10 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


class Told:
    """Lines about counted work: seldom, and with the time left.

    Args:
        tell: called with a line.
        clock, first: as for :class:`TimeLeft`.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        first: int | None = None,
    ) -> None:
        self.tell, self.clock = tell, clock
        self.left, self.last = TimeLeft(clock, first), clock()

    def count(self, what: str, done: int, total: int | None) -> None:
        """Tell how far work is, unless it is done or a line was told a moment ago.

        Args:
            what: what is counted.
            done, total: numbers of pieces that are done, and of all; None if that is not known.
        """
        if not done:
            return
        seconds = self.left.after(done, done if total is None else total)
        if done == total or self.clock() - self.last < PAUSE:
            return
        self.last = self.clock()
        how_far = "so far" if total is None else f"of {total}, {in_words(seconds)} left"
        self.tell(f"{what}: {done} {how_far}")
