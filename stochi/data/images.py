"""Labelled images."""

from dataclasses import dataclass

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
            raise InputError(f"{count} images were asked for; there are {len(self)}, from 1 on")
        return Images(self.inputs[:count], self.labels[:count])
