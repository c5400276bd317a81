"""Labelled images."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from stochi.errors import InputError


@dataclass(frozen=True)
class Images:
    """``inputs``: (n, channels, height, width) float32 in [0, 1]; ``labels``: (n,) int64."""

    inputs: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> "Images":
        """The first ``count`` images. InputError where there are fewer, or count is below 1."""
        if not 1 <= count <= len(self):
            raise InputError(f"{count} images were asked for; ask for 1 to {len(self)}")
        return Images(self.inputs[:count], self.labels[:count])

    def split(self, count: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Inputs and labels, ``count`` images at a time, the last part maybe fewer."""
        return zip(self.inputs.split(count), self.labels.split(count), strict=True)


def as_images(data: object) -> Images:
    """Labelled images, from themselves or from a pair (inputs, labels).

    Raises:
        InputError: it is neither.
    """
    if isinstance(data, Images):
        return data
    if isinstance(data, tuple | list) and len(data) == 2:
        return Images(*data)
    raise InputError(
        f"images with labels are needed, this is a {type(data).__name__}; pass"
        " stochi.data.Images(inputs, labels), of two tensors"
    )


def images_from_bytes(pixels: np.ndarray, labels: np.ndarray) -> Images:
    """Pixels of 0 to 255 as numbers in [0, 1], which a chip's 8-bit input turns back exactly.

    Args:
        pixels: (n, channels, height, width) uint8; labels: (n,) of any integers.
    """
    return Images(
        torch.from_numpy(np.divide(pixels, 255, dtype=np.float32)),
        torch.from_numpy(labels.astype(np.int64)),
    )
