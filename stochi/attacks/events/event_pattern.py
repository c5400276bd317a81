"""A pattern of events for whole data sets: a universal perturbation, or a patch."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from stochi.arguments import check_argument, check_fields
from stochi.attacks.events.budget import EventBudget
from stochi.attacks.events.pattern_form import PatternForm
from stochi.attacks.events.places import as_places
from stochi.attacks.events.placing import (
    by_sample,
    first_marks,
    from_samples,
    locate,
    marked,
    near_events,
)
from stochi.errors import InputError

Event = tuple[int, int, int, int]
"""Time step, polarity, row, column."""


@dataclass(frozen=True, repr=False)
class EventPattern:
    """Events that are inserted into every sample, each time at another place and time.

    A universal perturbation is as large as the sensor; a patch is a window, which may also hide
    what the sample shows there. In a place that has an event, inserting one changes nothing. An
    event that the budget's refractory time forbids in a sample is left out of it, and the least
    important ones are left out of a sample whose budget is spent.

    Attributes:
        form: window, shifts and budget.
        events: (time step, polarity, row, column) of each event, the most important one first.

    Raises:
        InputError: an event is outside the window or there twice, or the events are more than the
            budget's count or closer than its refractory time.
    """

    form: PatternForm
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self, besides=("events",))
        check_argument("events", self.events, tuple[Sequence[object], ...])
        self.form.check_events(self.events)
        self.form.check_rest(self.events)

    def __repr__(self) -> str:
        digest = hashlib.sha256(repr((self.form, self.events)).encode()).hexdigest()[:12]
        name = type(self).__name__
        return f"{name}({self.form.title!r}, {len(self.events)} events, {digest})"

    @property
    def budget(self) -> EventBudget:
        """What the pattern may do to a sample."""
        return self.form.budget

    @property
    def coordinates(self) -> torch.Tensor:
        """The events as (events, 4) int64."""
        return torch.tensor(self.events, dtype=torch.int64).view(-1, 4)

    @property
    def frames(self) -> torch.Tensor:
        """The window's events, (time steps, polarities, height, width) bool."""
        frames = torch.zeros(self.form.grid, dtype=torch.bool)
        frames[tuple(self.coordinates.unbind(1))] = True
        return frames

    def within(self, budget: EventBudget) -> "EventPattern":
        """Return the pattern within another budget, with its most important events."""
        return EventPattern(replace(self.form, budget=budget), self.events[: budget.count])

    def up_to(self, count: int) -> "EventPattern":
        """Return the pattern of the ``count`` most important events, with a budget of as many."""
        return self.within(self.budget.with_count(count))

    def apply(
        self, frames: torch.Tensor, seed: int | None = 0, trial: int = 0, first_sample: int = 0
    ) -> torch.Tensor:
        """Return samples with the pattern in them, each within the budget of its clean one.

        Args:
            frames: (time steps, n, *shape) events, exactly 0 or 1; a shape of fewer than three
                dimensions has one polarity, and one row if it has one dimension.
            seed: of the shifts, a whole number in [0, 2⁶⁴); None for no draw, the middle of every
                range.
            trial: number of the repetition.
            first_sample: number of the first sample, so that a part of the samples is shifted as
                the whole is.

        Raises:
            InputError: the samples are not events, or of another shape than the pattern's, or the
                seed is out of range.
        """
        self.form.check_fits(frames)
        offsets = self.form.offsets.draw(frames.shape[1], seed, trial, first_sample)
        return self.apply_at(frames, offsets)

    def apply_at(self, frames: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Return samples with the pattern at given shifts, (n, 3) int64: steps, rows, columns.

        Raises:
            InputError: the samples are not events, or of another shape than the pattern's.
        """
        self.form.check_fits(frames)
        if offsets.shape != (frames.shape[1], len(self.form.offsets.ranges)):
            raise InputError(
                f"the shifts have the shape {tuple(offsets.shape)}; {frames.shape[1]} samples need"
                f" ({frames.shape[1]}, 3): steps, rows, columns"
            )
        clean = by_sample(as_places(frames) != 0)
        found = self.show(clean, offsets.to(frames.device), self.budget.limits(frames))
        return from_samples(found, self.form.shape).reshape(frames.shape).to(frames.dtype)

    def show(self, clean: torch.Tensor, offsets: torch.Tensor, most: torch.Tensor) -> torch.Tensor:
        """Return samples with the pattern in them, (n, places) bool.

        Args:
            clean: (n, places) bool.
            offsets: (n, 3) shifts.
            most: (n,) largest number of changes.
        """
        rest = self.hide(clean, offsets, most)
        left = most - (clean & ~rest).sum(1)
        return rest | self.insertions(rest, offsets, left, self.coordinates)

    def hide(self, clean: torch.Tensor, offsets: torch.Tensor, most: torch.Tensor) -> torch.Tensor:
        """Return samples without what an occluding window hides, (n, places) bool."""
        if not self.form.occludes:
            return clean
        at = locate(self.coordinates.to(clean.device), offsets, self.form.shape)
        return clean & ~first_marks(clean & self.window(offsets) & ~marked(at, clean), most)

    def insertions(
        self,
        rest: torch.Tensor,
        offsets: torch.Tensor,
        most: torch.Tensor,
        coordinates: torch.Tensor,
    ) -> torch.Tensor:
        """Return the marks of the first events that can be inserted, (n, places) bool.

        Args:
            rest: (n, places) bool, the samples.
            offsets: (n, 3) shifts.
            most: (n,) largest number of events.
            coordinates: (events, 4) int64, the first ones first.
        """
        shape = self.form.shape
        at = locate(coordinates.to(rest.device), offsets, shape)
        close = near_events(rest, shape, self.budget.refractory).gather(1, at.pixels)
        new = first_marks(at.inside & ~rest.gather(1, at.places) & ~close, most)
        return marked(at._replace(inside=new), rest)

    def window(self, offsets: torch.Tensor) -> torch.Tensor:
        """Return the places of the window at each shift, (n, places) bool."""
        _, _, height, width = self.form.shape
        rows = torch.arange(height, device=offsets.device) - offsets[:, 1:2]
        columns = torch.arange(width, device=offsets.device) - offsets[:, 2:]
        within = ((rows >= 0) & (rows < self.form.size[0]))[:, None, None, :, None]
        within = within & ((columns >= 0) & (columns < self.form.size[1]))[:, None, None, None]
        return within.expand(-1, *self.form.shape).flatten(1)
