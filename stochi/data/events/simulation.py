"""Recordings of a simulated camera, made when they are read."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from stochi.data.events.camera import Camera, record
from stochi.data.events.recording import Recording

VERSION = 1
"""Raised if the same values give other events, so that frames kept in a cache are made anew."""
_BLOCK = 64
"""Recordings that are simulated together, since one alone takes ten times as long."""


@dataclass(frozen=True, eq=False)
class SimulatedRecordings:
    """What a simulated camera records of images, one recording an image.

    They are simulated when one of their block is first read, and kept while this object lives.

    Attributes:
        images: (n, height, width) in [0, 1].
        path: as for :func:`stochi.data.events.camera.record`.
        camera: the camera.
        first: number of the first recording, in whatever the images are a part of.
        seed: whole number in [0, 2³²).
    """

    images: np.ndarray
    path: np.ndarray
    camera: Camera
    first: int = 0
    seed: int = 0
    _blocks: dict[int, list[Recording]] = field(default_factory=dict, repr=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(polarities, height, width) of every recording."""
        return 2, self.camera.height, self.camera.width

    def __len__(self) -> int:
        return len(self.images)

    def read(self, number: int) -> Recording:
        """Return a recording."""
        block, place = divmod(number, _BLOCK)
        if block not in self._blocks:
            images = self.images[block * _BLOCK : (block + 1) * _BLOCK]
            numbers = self.first + block * _BLOCK + np.arange(len(images))
            self._blocks[block] = record(images, self.path, self.camera, numbers, self.seed)
        return self._blocks[block][place]

    def identity(self, number: int) -> str:
        """Return all that the recording follows from."""
        seen = hashlib.sha256(self.images[number].tobytes() + self.path.tobytes()).hexdigest()
        return f"simulation {VERSION}:{self.camera!r}:{seen}:{self.first + number}:{self.seed}"
