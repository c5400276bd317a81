"""One recording of an event camera."""

from dataclasses import dataclass

import numpy as np

from stochi.errors import InputError

LONGEST = 2**46
"""Longest recording in microseconds, two years: times a number of steps, it still fits int64."""


@dataclass(frozen=True)
class Recording:
    """Events of one recording, in the order of their times.

    Attributes:
        x, y: (events,) int64, the column in [0, width) and the row in [0, height).
        polarity: (events,) int64, 1 if the pixel became brighter, 0 if it became darker.
        time: (events,) int64, microseconds, never decreasing.
        height, width: size of the sensor in pixels.
        polarities: 2; 1 for a sensor whose events have no polarity, which is then 0 throughout.
    """

    x: np.ndarray
    y: np.ndarray
    polarity: np.ndarray
    time: np.ndarray
    height: int
    width: int
    polarities: int = 2

    def __len__(self) -> int:
        return len(self.time)


def checked_recording(recording: Recording) -> Recording:
    """Return a recording that was read from a file.

    Raises:
        InputError: it has no event, an event lies outside the sensor, or times are out of order.
    """
    if not len(recording):
        raise InputError("it holds no event")
    for what, values, limit in (
        ("x", recording.x, recording.width),
        ("y", recording.y, recording.height),
        ("polarity", recording.polarity, recording.polarities),
    ):
        if values.min() < 0 or values.max() >= limit:
            at = int(((values < 0) | (values >= limit)).argmax())
            raise InputError(
                f"event {at} has {what} {values[at]}; it must be from 0 to {limit - 1}"
                f"{_of_sensor(recording, what)}"
            )
    time = recording.time
    backwards = time[1:] < time[:-1]
    if backwards.any():
        at = int(backwards.argmax()) + 1
        raise InputError(
            f"event {at} is at {time[at]} µs, before the one in front of it at {time[at - 1]} µs;"
            " events must be in the order of their times"
        )
    if int(time[-1]) - int(time[0]) > LONGEST:
        raise InputError(
            f"its times range from {time[0]} to {time[-1]} µs; at most {LONGEST} µs can lie between"
            " (two years; they are hardly microseconds)"
        )
    return recording


def _of_sensor(recording: Recording, what: str) -> str:
    """Return the sensor that a place must lie on, in words."""
    if what == "polarity":
        return ""
    return f" on a sensor of (height, width) = ({recording.height}, {recording.width})"
