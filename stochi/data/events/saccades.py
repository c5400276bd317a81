"""The digits of scikit-learn, seen by a simulated event camera that makes three saccades.

N-MNIST was recorded like this, with a real camera in front of a screen (Orchard, Jayawant, Cohen
and Thakor, Frontiers in Neuroscience 2015): three saccades along a triangle, each about 100 ms.
"""

import itertools
from pathlib import Path

import numpy as np

from stochi.data.digits import load_digits
from stochi.data.events.binning import Binning
from stochi.data.events.camera import Camera
from stochi.data.events.event_set import EventSet
from stochi.data.events.frame_cache import FrameCache
from stochi.data.events.simulation import SimulatedRecordings

CAMERA = Camera()
"""The camera that sees the digits."""
SHAPE = (2, CAMERA.height, CAMERA.width)
CLASSES = 10
SACCADE = 102_000
"""Microseconds of one saccade."""
REACH = 1.6
"""Pixels from the sensor's centre to a corner of the triangle, in rows and in columns."""

_CORNERS = REACH * np.array([[-1, -1], [1, 0], [-1, 1], [-1, -1]])
"""Rows and columns at which a saccade starts or ends."""


def open_saccades(
    data_dir: str | Path | None, binning: Binning, cache: FrameCache | None = None
) -> tuple[EventSet, EventSet]:
    """Return recordings of the training digits and of the test digits, in the order of the digits.

    Recordings are simulated when they are read, and are the same on every machine.

    Args:
        data_dir: ignored; the digits come with scikit-learn.
        binning: how recordings become frames.
        cache: where frames are kept, if they are.
    """
    training, test = load_digits()
    sets = []
    for images, first in ((training, 0), (test, len(training))):
        recordings = SimulatedRecordings(images.inputs[:, 0].numpy(), triangle(), CAMERA, first)
        sets.append(EventSet(recordings, images.labels, CLASSES, binning, cache))
    return sets[0], sets[1]


def triangle(interval: int = CAMERA.interval) -> np.ndarray:
    """Return where a digit's centre is, (moments, 2) rows and columns off the sensor's centre.

    A saccade starts and ends at rest, and is fastest half way.

    Args:
        interval: microseconds from one moment to the next, a divisor of ``SACCADE``.
    """
    share = np.arange(0, SACCADE, interval) / SACCADE
    eased = (share * share * (3 - 2 * share))[:, None]
    ends = itertools.pairwise(_CORNERS)
    return np.concatenate([*(start + (end - start) * eased for start, end in ends), _CORNERS[-1:]])
