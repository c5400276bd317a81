"""What a pattern of events must be, before its events are known."""

import math
from dataclasses import dataclass
from numbers import Integral

import torch

from stochi.arguments import check_fields
from stochi.attacks.events.base import check_events
from stochi.attacks.events.budget import DELETE, INSERT, EventBudget
from stochi.attacks.events.offsets import Offsets
from stochi.attacks.events.places import as_places
from stochi.attacks.events.placing import Shape
from stochi.data.events.event_set import EventSet
from stochi.data.streams import Streams
from stochi.errors import InputError
from stochi.plain_text import text_of

EventSamples = Streams | EventSet
"""Labelled events in memory, or recordings that are read when they are needed."""
LARGEST_SIDE, MOST_PLACES = 2**16, 2**28


@dataclass(frozen=True)
class PatternForm:
    """The window, shifts and budget of a pattern.

    Attributes:
        size: (height, width) of the window in which the events lie.
        shape: (time steps, polarities, height, width) of the samples.
        offsets: shifts of the window's upper left corner, and of its time.
        budget: what the pattern may do to a sample.
        occludes: whether the window hides the sample's own events, at all time steps.
        title: name in reports.

    Raises:
        InputError: a size is out of range, or the budget does not allow to insert, or to delete if
            the window occludes.
    """

    size: tuple[int, int]
    shape: Shape
    offsets: Offsets
    budget: EventBudget
    occludes: bool = False
    title: str = "pattern"

    def __post_init__(self) -> None:
        check_fields(self, besides=("size", "shape"))
        for name, value, length in (("size", self.size, 2), ("shape", self.shape, 4)):
            given = value if isinstance(value, tuple) else ()
            sides = [_is_below(side, LARGEST_SIDE + 1) and side > 0 for side in given]
            if len(sides) != length or not all(sides):
                raise InputError(
                    f"the pattern's {name} is {text_of(value)}; it must be {length} whole numbers"
                    f" from 1 to {LARGEST_SIDE}"
                )
        if math.prod(self.shape) > MOST_PLACES:
            raise InputError(
                f"the pattern's shape is {self.shape}, {math.prod(self.shape):,} places; it can"
                f" have {MOST_PLACES:,}"
            )
        if self.size[0] > self.shape[2] or self.size[1] > self.shape[3]:
            raise InputError(
                f"the pattern's size is {self.size}; it must fit into samples of {self.shape[2:]}"
            )
        needed = (INSERT, DELETE) if self.occludes else (INSERT,)
        if not set(needed) <= set(self.budget.kinds):
            raise InputError(
                f"the budget's kinds are {', '.join(self.budget.kinds)}; this pattern needs"
                f" {' and '.join(needed)}"
            )

    @property
    def grid(self) -> Shape:
        """Shape of the window's places: (time steps, polarities, height, width)."""
        return (*self.shape[:2], *self.size)

    def check_events(self, events: tuple[tuple[int, ...], ...]) -> None:
        """Raise InputError unless events lie in the window, each once, no more than allowed."""
        for event in events:
            if len(event) != 4 or not all(map(_is_below, event, self.grid)):
                raise InputError(
                    f"the pattern has an event at {event}; (time step, polarity, row, column) must"
                    f" lie in {self.grid}"
                )
        if len(set(events)) < len(events):
            raise InputError("the pattern has an event twice; a place holds one event in a step")
        if self.budget.count is not None and len(events) > self.budget.count:
            raise InputError(
                f"the pattern has {len(events)} events; its budget allows {self.budget.count}"
            )

    def check_rest(self, events: tuple[tuple[int, ...], ...]) -> None:
        """Raise InputError unless events keep the refractory time, around the loop as well."""
        pixels: dict[tuple[int, ...], list[int]] = {}
        for time, _, *pixel in events:
            pixels.setdefault(tuple(pixel), []).append(time)
        for place, times in pixels.items():
            times.sort()
            around = [times[0] + self.shape[0]] if self.offsets.loops and len(times) > 1 else []
            apart = [b - a for a, b in zip(times, times[1:] + around, strict=False)]
            if min(apart, default=self.budget.refractory) < self.budget.refractory:
                raise InputError(
                    f"two events of the pixel {place} are {min(apart)} steps apart as the pattern"
                    f" {'loops' if self.offsets.loops else 'plays'}; the refractory time is"
                    f" {self.budget.refractory} steps: leave one out"
                )

    def check_fits(self, frames: torch.Tensor) -> None:
        """Raise InputError unless samples are events of the pattern's shape."""
        check_events(frames, "a pattern")
        places = as_places(frames)
        found = (len(places), *places.shape[2:])
        if found != self.shape:
            raise InputError(
                f"the samples have the shape {found} (time steps, polarities, height, width) and"
                f" the pattern was made for {self.shape}; train it on such samples"
            )


def shape_of(samples: EventSamples) -> Shape:
    """Return (time steps, polarities, height, width) of labelled events.

    Raises:
        InputError: there is no sample.
    """
    if not len(samples):
        raise InputError("there are no samples; a pattern needs at least one to be trained on")
    places = as_places(samples.select(torch.zeros(1, dtype=torch.int64)).inputs)
    steps, _, polarities, height, width = places.shape
    return (steps, polarities, height, width)


def _is_below(value: int, end: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and 0 <= value < end
