"""The digits of scikit-learn, seen by a simulated event camera that makes three saccades.

Neuromorphic MNIST was recorded like this, with a real camera in front of a screen (Orchard, Jayawant,
Cohen and Thakor, Frontiers in Neuroscience 2015): three saccades along a triangle, of about a tenth
of a second each.
"""

import numpy as np

from stochi.data.events.camera import Camera

CAMERA = Camera()
"""The camera that sees the digits."""
SACCADE = 102_000
"""Microseconds of one saccade."""
REACH = 1.6
"""Pixels from the sensor's centre to the triangle's corners, in either direction."""
SEED = 0

_CORNERS = REACH * np.array([[-1, -1], [1, 0], [-1, 1], [-1, -1]])
"""Rows and columns at which a saccade starts or ends."""


def triangle(interval: int = CAMERA.interval) -> np.ndarray:
    """Return where the digit's centre is, (moments, 2) rows and columns, off the sensor's centre.

    A saccade starts and ends at rest, and is fastest half way.

    Args:
        interval: microseconds between two moments.
    """
    share = np.arange(SACCADE // interval) * interval / SACCADE
    eased = (share * share * (3 - 2 * share))[:, None]
    legs = [
        start + (end - start) * eased for start, end in zip(_CORNERS, _CORNERS[1:], strict=False)
    ]
    return np.concatenate([*legs, _CORNERS[-1:]])
