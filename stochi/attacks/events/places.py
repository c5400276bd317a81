"""Streams as a grid of places: time steps, polarities, rows and columns."""

import torch

from stochi.errors import InputError

POLARITIES = 2
"""Number of polarities of an event camera: darker and brighter."""


def as_places(frames: torch.Tensor) -> torch.Tensor:
    """Return (time_steps, n, *shape) frames as (time_steps, n, polarities, height, width).

    A shape of one dimension, like the channels of a cochlea, is one row; one of two dimensions is a
    single polarity.

    Raises:
        InputError: the frames have fewer than 3 or more than 5 dimensions.
    """
    if frames.dim() == 3:
        return frames[:, :, None, None]
    if frames.dim() == 4:
        return frames[:, :, None]
    if frames.dim() == 5:
        return frames
    raise InputError(
        f"events have shape {tuple(frames.shape)}; pass (time_steps, batch, polarity, height,"
        " width), or one or two dimensions in place of the last three"
    )


def count_events(frames: torch.Tensor) -> torch.Tensor:
    """Return the number of events in each sample of (time_steps, n, *shape) frames, (n,) int64."""
    return (frames != 0).flatten(2).sum((0, 2))


def flatten_places(frames: torch.Tensor) -> torch.Tensor:
    """Return (time_steps, n, *shape) frames as (n, places), in the order of time and shape."""
    return frames.transpose(0, 1).flatten(1)
