"""A simulated event camera that looks at moving images.

A pixel fires when the logarithm of its brightness has risen or fallen by a threshold since it last
fired, as in ESIM (Rebecq, Gehrig and Scaramuzza, CoRL 2018) and v2e (Hu, Liu and Delbruck, CVPR
workshops 2021). Brightness is computed at regular times, the logarithm is taken to be linear in
between, and so events have times of their own. All steps from the image's grey levels on are in
integers, and randomness comes from the chip's counter-based generator: the same events on every
machine, whatever the batch.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from stochi.data.events import background, optics, pixels
from stochi.data.events.recording import Recording
from stochi.errors import InputError

_LARGEST_SIDE = 1024
_LARGEST_MISMATCH = 0.3
"""At most: the lowest of 256 quantiles of the threshold, 2.9 deviations down, stays positive."""
_SHARPEST = 0.01
"""The lowest threshold, a change of 1 %: the logarithm has 4,096 levels a factor of e."""
_FURTHEST = 10**6
_MOST_EVENTS = 100
"""At most: background events of a pixel in a recording, on average."""


@dataclass(frozen=True)
class Camera:
    """An event camera and the screen that it looks at.

    Attributes:
        height, width: size of the sensor in pixels.
        filled: longer side of the image as a share of the sensor's shorter side.
        dark: brightness of a black pixel, as a share of a white one's.
        threshold: change of the brightness's natural logarithm that makes a pixel fire.
        mismatch: standard deviation of the threshold between pixels, as a share of it; thresholds
            of rising and falling brightness differ independently.
        refractory: microseconds from an event during which the pixel is blind; it then compares
            with the brightness of that moment.
        noise: background events a pixel and second, of random polarity.
        interval: microseconds from one computed brightness to the next.

    Raises:
        InputError: a value is out of its range.
    """

    height: int = 16
    width: int = 16
    filled: float = 0.8
    dark: float = 0.1
    threshold: float = 0.4
    mismatch: float = 0.05
    refractory: int = 1_500
    noise: float = 0.5
    interval: int = 3_000

    def __post_init__(self) -> None:
        _check("height", self.height, 1, _LARGEST_SIDE)
        _check("width", self.width, 1, _LARGEST_SIDE)
        _check("filled", self.filled, 0.01, 10)
        _check("dark", self.dark, 0.001, 1)
        _check("threshold", self.threshold, _SHARPEST, 10)
        _check("mismatch", self.mismatch, 0, _LARGEST_MISMATCH)
        _check("refractory", self.refractory, 1, 10**6)
        _check("noise", self.noise, 0, 10**5)
        _check("interval", self.interval, 1, 10**6)
        for name in ("height", "width", "refractory", "interval"):
            if not isinstance(getattr(self, name), int):
                raise InputError(
                    f"camera: {name} is {getattr(self, name)}; it must be a whole number"
                )

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.height * self.width


def record(
    images: np.ndarray, path: np.ndarray, camera: Camera, numbers: np.ndarray, seed: int = 0
) -> list[Recording]:
    """Record images that move over the sensor.

    Args:
        images: (n, height, width) in [0, 1]; 256 grey levels are told apart. Around them is black.
        path: (moments, 2) rows and columns, in the sensor's pixels, by which an image's centre is
            off the sensor's centre, at moments that are ``camera.interval`` apart.
        numbers: (n,) int64 in [0, 2³²), each recording's number: its background noise.
        seed: whole number in [0, 2³²), the sensor with its mismatch and all noise.

    Returns:
        One recording for each image, its times from 0 to ``(moments − 1)·camera.interval``.

    Raises:
        InputError: an argument has another shape, or values that are not finite or out of range.
    """
    grey = optics.grey_levels(images)
    if len(numbers) != len(grey):
        raise InputError(f"{len(grey)} images have {len(numbers)} numbers; pass one for each")
    duration = _duration(path, camera)
    levels = optics.brightness(grey, path, camera.height, camera.width, camera.filled, camera.dark)
    limits = pixels.draw_limits(camera.threshold, camera.mismatch, camera.pixels, seed)
    noise = background.draw_background(camera.noise, duration, camera.pixels, numbers, seed)
    pixel, time, polarity = pixels.fire(levels, limits, noise, camera.interval, camera.refractory)
    sample, place = np.divmod(pixel, camera.pixels)
    order = np.lexsort((place, time, sample))
    ends = np.searchsorted(sample[order], np.arange(len(grey) + 1)).tolist()
    row, column = np.divmod(place, camera.width)
    recordings = []
    for start, end in itertools.pairwise(ends):
        mine = order[start:end]
        x, y, rises, at = (part[mine] for part in (column, row, polarity, time))
        recordings.append(Recording(x, y, rises, at, camera.height, camera.width))
    return recordings


def _duration(path: np.ndarray, camera: Camera) -> int:
    """Return the microseconds of a path.

    Raises:
        InputError: it is no path, or background events would be too many.
    """
    if path.ndim != 2 or path.shape[1] != 2 or len(path) < 2 or not np.abs(path).max() <= _FURTHEST:
        raise InputError(
            f"path has the shape {path.shape}; it must be (moments, 2), with 2 moments or more and"
            f" numbers within ±{_FURTHEST:,} pixels"
        )
    duration = (len(path) - 1) * camera.interval
    if camera.noise * duration / 1e6 > _MOST_EVENTS:
        raise InputError(
            f"noise is {camera.noise:g} Hz over {duration / 1e6:g} s; background events must be at"
            f" most {_MOST_EVENTS} a pixel and recording: lower the noise or shorten the path"
        )
    return duration


def _check(name: str, value: float, low: float, high: float) -> None:
    if not math.isfinite(value) or not low <= value <= high:
        raise InputError(f"camera: {name} is {value}; it must be from {low:g} to {high:g}")
