"""Time steps of a recording: events become frames of 0 and 1."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from stochi.arguments import check_fields
from stochi.data.events.recording import Recording
from stochi.errors import InputError

Rule = Literal["time", "duration", "count"]
MOST_STEPS = 100_000


@dataclass(frozen=True)
class LostEvents:
    """Number of events that frames do not show.

    Attributes:
        clipped: events at a place, polarity and step that already had one.
        outside: events after the last step.
        events: all events, lost or not.
    """

    clipped: int = 0
    outside: int = 0
    events: int = 0

    @property
    def lost(self) -> int:
        """Number of events lost for either reason."""
        return self.clipped + self.outside

    def __add__(self, other: "LostEvents") -> "LostEvents":
        return LostEvents(
            self.clipped + other.clipped, self.outside + other.outside, self.events + other.events
        )

    def __str__(self) -> str:
        share = 100 * self.lost / max(1, self.events)
        return (
            f"{self.lost:,} of {self.events:,} events lost ({share:.1f} %): {self.clipped:,} at a"
            f" place and step that already had one, {self.outside:,} after the last step"
        )


@dataclass(frozen=True)
class Binning:
    """How a recording is cut into time steps, with at most one event a place, polarity and step.

    Attributes:
        time_steps: number of steps.
        by: ``time``: steps of equal time from the first to the last event; ``duration``: steps of
            ``step_us`` microseconds from the first event, later events being lost; ``count``:
            steps of equally many events, as far as they divide.
        step_us: microseconds of a step, for ``duration`` only.
    """

    time_steps: int = 10
    by: Rule = "time"
    step_us: int | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.by not in get_args(Rule):
            raise InputError(
                f"unknown binning {self.by!r}; it must be {', '.join(get_args(Rule)[:-1])} or"
                f" {get_args(Rule)[-1]}"
            )
        _check_whole("time_steps", self.time_steps, MOST_STEPS)
        if self.by == "duration":
            if self.step_us is None:
                raise InputError("binning by duration needs step_us, the microseconds of a step")
            _check_whole("step_us", self.step_us, 2**46)
        elif self.step_us is not None:
            raise InputError(f"step_us is for binning by duration, not by {self.by}; leave it out")

    @property
    def name(self) -> str:
        """Name of this value, like ``time-10``, ``count-10`` or ``duration-30x10000us``."""
        return f"{self.by}-{self.time_steps}" + (f"x{self.step_us}us" if self.step_us else "")

    def steps(self, recording: Recording) -> np.ndarray:
        """Return each event's step, (events,) int64, never decreasing.

        Steps from ``time_steps`` on lie after the last one.
        """
        if self.by == "count":
            return np.arange(len(recording)) * self.time_steps // max(1, len(recording))
        if not len(recording):
            return np.zeros(0, np.int64)
        since = recording.time - recording.time[0]
        if self.step_us:
            return since // self.step_us
        return since * self.time_steps // (since[-1] + 1)

    def frames(self, recording: Recording) -> tuple[np.ndarray, LostEvents]:
        """Return frames, (time steps, polarities, height, width) bool, and the events they lack."""
        steps = self.steps(recording)
        shape = (self.time_steps, recording.polarities, recording.height, recording.width)
        within = int(np.searchsorted(steps, self.time_steps))
        place = steps * recording.polarities + recording.polarity
        place = (place * recording.height + recording.y) * recording.width + recording.x
        frames = np.zeros(shape, np.bool_)
        frames.reshape(-1)[place[:within]] = True
        shown = int(np.count_nonzero(frames))
        return frames, LostEvents(within - shown, len(recording) - within, len(recording))


def _check_whole(name: str, value: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise InputError(f"{name} is {value!r}; it must be a whole number from 1 to {most:,}")
