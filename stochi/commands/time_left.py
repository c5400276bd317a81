"""Time that counted work will still take."""

import time
from collections.abc import Callable


class TimeLeft:
    """Time left of work that is counted from 1, or from where it goes on, to a total.

    Args:
        clock: returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
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
            self.before, self.begun = done - 1, self.now
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
