"""Noise filters of event cameras, on frames of events."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Integral

import torch
from torch.nn import functional

from stochi.arguments import check_fields
from stochi.errors import InputError
from stochi.plain_text import text_of


class EventFilter(ABC):
    """A filter that lets some events pass and inserts none, called with frames.

    Frames are (time_steps, n, polarities, height, width) floats of exactly 0 or 1. A filter of your
    own defines ``name`` and ``margin``.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """Name in reports."""

    @abstractmethod
    def margin(self, frames: torch.Tensor) -> torch.Tensor:
        """Return how clearly an event at each place passes; it does if this is above 0.

        It counts events, so it is differentiable with respect to frames.

        Returns:
            A tensor that broadcasts to the frames' shape.
        """

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        """Return the frames without the events that do not pass.

        Raises:
            InputError: the frames have another number of dimensions.
        """
        return frames * (self.margin(frames) > 0)


@dataclass(frozen=True)
class BackgroundFilter(EventFilter):
    """The background-activity filter (Delbruck, 2008): isolated events do not pass.

    An event passes if another pixel nearby had an event of either polarity in the same time step or
    in one of the ``steps`` before. Frames do not tell which event of a step was first; on the
    camera only the later one passes.

    Attributes:
        distance: largest number of rows and of columns between neighbours, at least 1.
        steps: number of earlier time steps that count, at least 0.

    Raises:
        InputError: a value is out of range.
    """

    distance: int = 1
    steps: int = 1

    def __post_init__(self) -> None:
        check_fields(self)
        _check_whole("distance", self.distance, 1)
        _check_whole("steps", self.steps, 0)

    @property
    def name(self) -> str:
        """Name in reports."""
        return f"background filter ({self.distance} px, {self.steps} steps)"

    def margin(self, frames: torch.Tensor) -> torch.Tensor:
        """Return the number of events nearby minus 1/2, (time_steps, n, 1, height, width)."""
        pixels = _of_pixels(frames)
        steps, samples, height, width = pixels.shape
        # A distance beyond the frame's sides changes nothing, so the kernel need not be larger.
        reach = [min(self.distance, side - 1) for side in (height, width)]
        kernel = pixels.new_ones(1, 1, 2 * reach[0] + 1, 2 * reach[1] + 1)
        kernel[0, 0, reach[0], reach[1]] = 0
        near = functional.conv2d(pixels.reshape(-1, 1, height, width), kernel, padding=reach)
        near = near.view(steps, samples, height, width)
        total = near
        for before in range(1, min(self.steps, steps - 1) + 1):
            total = total + functional.pad(near[:-before], (0, 0) * 3 + (before, 0))
        return total[:, :, None] - 0.5


@dataclass(frozen=True)
class MaskFilter(EventFilter):
    """The mask filter (Linares-Barranco et al., IEEE Access 2019): overactive pixels are masked.

    A pixel with more than ``most`` events in a sample, of both polarities together, loses all of
    them. Hot pixels of a camera are like that.

    Attributes:
        most: largest number of events of a pixel that is not masked, at least 0.

    Raises:
        InputError: ``most`` is out of range.
    """

    most: int

    def __post_init__(self) -> None:
        check_fields(self)
        _check_whole("most", self.most, 0)

    @property
    def name(self) -> str:
        """Name in reports."""
        return f"mask filter ({self.most} events)"

    def margin(self, frames: torch.Tensor) -> torch.Tensor:
        """Return ``most`` + 1/2 minus the events of a pixel, (1, n, 1, height, width)."""
        return self.most + 0.5 - _of_pixels(frames).sum(0)[None, :, None]


def _of_pixels(frames: torch.Tensor) -> torch.Tensor:
    """Return the number of events of each pixel and step, (time_steps, n, height, width)."""
    if frames.dim() != 5 or not frames.is_floating_point():
        raise InputError(
            f"frames are {frames.dtype} of shape {tuple(frames.shape)}; a filter takes floats of"
            " shape (time_steps, batch, polarities, height, width)"
        )
    return frames.sum(2)


def _check_whole(name: str, value: object, least: int) -> None:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise InputError(
            f"{name} is {text_of(value)}; it must be a whole number of at least {least}"
        )
