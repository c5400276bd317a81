"""Events of a pattern at their places in samples."""

from typing import NamedTuple

import torch

Shape = tuple[int, int, int, int]
"""Time steps, polarities, height, width."""


class Located(NamedTuple):
    """Places of events in samples.

    Attributes:
        places: (n, m) int64, numbers of the places in C order of (time step, polarity, row,
            column); 0 for events outside.
        pixels: (n, m) int64, the same without the polarity.
        inside: (n, m) bool, whether an event is on the sensor.
    """

    places: torch.Tensor
    pixels: torch.Tensor
    inside: torch.Tensor


def locate(coordinates: torch.Tensor, offsets: torch.Tensor, shape: Shape) -> Located:
    """Shift events, in time around the loop and in space off the sensor.

    Args:
        coordinates: (m, 4) int64: time step, polarity, row, column.
        offsets: (n, 3) int64: steps, rows, columns.
        shape: of a sample.
    """
    steps, polarities, height, width = shape
    time, polarity, row, column = coordinates.unbind(1)
    time = (time + offsets[:, :1]) % steps
    row, column = row + offsets[:, 1:2], column + offsets[:, 2:]
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    position = row * width + column
    places = (time * polarities + polarity) * height * width + position
    pixels = time * height * width + position
    return Located(places * inside, pixels * inside, inside)


def marked(at: Located, like: torch.Tensor) -> torch.Tensor:
    """Return the (n, places) bool marks of events that are inside, in the shape of ``like``."""
    marks = torch.zeros_like(like)
    sample, event = at.inside.nonzero(as_tuple=True)
    marks[sample, at.places[sample, event]] = True
    return marks


def all_places(grid: Shape) -> torch.Tensor:
    """Return the (places, 4) coordinates of all places of a grid, in C order."""
    return torch.cartesian_prod(*(torch.arange(side) for side in grid))


def by_sample(events: torch.Tensor) -> torch.Tensor:
    """Return (time steps, n, polarities, height, width) as (n, places)."""
    return events.transpose(0, 1).flatten(1)


def from_samples(events: torch.Tensor, shape: Shape) -> torch.Tensor:
    """Return (n, places) as (time steps, n, polarities, height, width)."""
    return events.view(-1, *shape).transpose(0, 1)


def near_events(events: torch.Tensor, shape: Shape, refractory: int) -> torch.Tensor:
    """Return which pixels have an event less than ``refractory`` steps away.

    Args:
        events: (n, places) bool.
        shape: of a sample.
        refractory: number of steps; 0 for no pixel at all.

    Returns:
        (n, time steps · height · width) bool.
    """
    seen = events.view(-1, *shape).any(2)
    return spread(seen, refractory, 1).flatten(1)


def spread(marks: torch.Tensor, reach: int, dim: int, loops: bool = False) -> torch.Tensor:
    """Return the marks with everything less than ``reach`` steps from one, along a dimension.

    Args:
        marks: bool.
        reach: 0 marks nothing, 1 what is marked.
        dim: dimension of time.
        loops: whether the first step follows the last.
    """
    steps = marks.shape[dim]
    found = marks.clone() if reach else torch.zeros_like(marks)
    for apart in range(1, min(reach, steps)):
        if loops:
            found |= marks.roll(apart, dim) | marks.roll(-apart, dim)
        else:
            early, late = (slice_of(found, dim, *ends) for ends in ((0, -apart), (apart, steps)))
            early |= slice_of(marks, dim, apart, steps)
            late |= slice_of(marks, dim, 0, -apart)
    return found


def slice_of(values: torch.Tensor, dim: int, start: int, end: int) -> torch.Tensor:
    """Return ``values[start:end]`` along a dimension, as a view; a negative end counts back."""
    length = (values.shape[dim] + end if end < 0 else end) - start
    return values.narrow(dim, start, length)


def first_marks(marks: torch.Tensor, most: torch.Tensor) -> torch.Tensor:
    """Return the first ``most`` (n,) marks of each row of (n, m) bool."""
    return marks & (marks.cumsum(1) <= most[:, None])
