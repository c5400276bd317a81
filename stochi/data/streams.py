"""Labelled inputs that change from time step to time step."""

from dataclasses import dataclass
from typing import ClassVar

from stochi.data.samples import Samples


@dataclass(frozen=True)
class Streams(Samples):
    """Labelled inputs that change from time step to time step, such as events of a camera.

    Attributes:
        inputs: (time steps, n, *shape) floats in [0, 1]; exactly 0 or 1 for events.
        labels: as in :class:`stochi.data.samples.Samples`.
    """

    batch_dim: ClassVar[int] = 1
