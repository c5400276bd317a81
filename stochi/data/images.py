"""Labelled images."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from stochi.errors import InputError


@dataclass(frozen=True)
class Images:
    """Labelled images.

    Attributes:
        inputs: (n, channels, height, width) float32 in [0, 1].
        labels: (n,) int64.
    """

    inputs: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> "Images":
        """Return the first ``count`` images.

        Raises:
            InputError: there are fewer images, or ``count`` is below 1.
        """
        if not 1 <= count <= len(self):
            raise InputError(f"{count} images were asked for; ask for 1 to {len(self)}")
        return Images(self.inputs[:count], self.labels[:count])

    def split(self, count: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield inputs and labels, ``count`` images at a time; the last part may be smaller."""
        return zip(self.inputs.split(count), self.labels.split(count), strict=True)


def as_images(data: object) -> Images:
    """Return labelled images, given as such or as a pair (inputs, labels).

    Raises:
        InputError: ``data`` is neither.
    """
    if isinstance(data, Images):
        return data
    if isinstance(data, tuple | list) and len(data) == 2:
        return Images(*data)
    raise InputError(
        f"images with labels are needed, this is a {type(data).__name__}; pass"
        " stochi.data.Images(inputs, labels) with two tensors"
    )


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
