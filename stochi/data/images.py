"""Labelled images."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from stochi.data.samples import Samples


@dataclass(frozen=True)
class Images(Samples):
    """Labelled images, each shown at every time step.

    Attributes:
        inputs: (n, *shape) float32 in [0, 1], the shape usually being (channels, height, width).
        labels: as in :class:`stochi.data.samples.Samples`.
    """

    batch_dim: ClassVar[int] = 0


def images_from_bytes(pixels: np.ndarray, labels: np.ndarray) -> Images:
    """Map pixels from 0 … 255 to [0, 1]; a chip's 8-bit input recovers them exactly.

    Args:
        pixels: (n, channels, height, width) uint8.
        labels: (n,) integers of any type.
    """
    return Images(
        torch.from_numpy(np.divide(pixels, 255, dtype=np.float32)),
        torch.from_numpy(labels.astype(np.int64)),
    )
