"""The parts of a check: which one runs, of how many, and what time is left."""

import time
from collections.abc import Callable, Sequence

from stochi.attacks.progress import Progress
from stochi.time_left import Told, in_words


class Parts:
    """Tells the parts of a check as they begin, and how far each is.

    Args:
        tell: called with a line.
        kinds: what each part is, in order. Parts of one kind take about as long, those of kind ""
            hardly any time.
        clock: returns seconds.
    """

    def __init__(
        self, tell: Progress, kinds: Sequence[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell, self.kinds, self.clock = tell, tuple(kinds), clock
        self.number = 0
        self.took: dict[str, float] = {}
        self.begun = clock()
        self.told = Told(self.line, clock, 0)

    def begin(self, what: str) -> None:
        """Tell that the next part begins, and how long the rest takes if that is known."""
        now = self.clock()
        if self.number:
            self.took[self.kinds[self.number - 1]] = now - self.begun
        self.number, self.begun, self.told = self.number + 1, now, Told(self.line, self.clock, 0)
        rest = self.kinds[self.number - 1 :]
        known = all(kind in self.took for kind in rest if kind)
        left = sum(self.took.get(kind, 0.0) for kind in rest)
        self.line(f"{what}; about {in_words(left)} left" if known else what)

    def line(self, what: str) -> None:
        """Tell something about the part that runs."""
        self._tell(f"part {self.number} of {len(self.kinds)}: {what}")

    def count(self, what: str, done: int, total: int | None) -> None:
        """Tell from time to time how far the part is.

        Args:
            what: what is counted.
            done, total: numbers of pieces that are done, and of all; None if that is not known.
        """
        self.told.count(what, done, total)
