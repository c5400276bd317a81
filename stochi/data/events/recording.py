"""One recording of an event camera."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Recording:
    """Events of one recording, in the order of their times.

    Attributes:
        x, y: (events,) int64, the column in [0, width) and the row in [0, height).
        polarity: (events,) int64, 1 if the pixel became brighter, 0 if it became darker.
        time: (events,) int64, microseconds, never decreasing.
        height, width: size of the sensor in pixels.
    """

    x: np.ndarray
    y: np.ndarray
    polarity: np.ndarray
    time: np.ndarray
    height: int
    width: int

    def __len__(self) -> int:
        return len(self.time)
