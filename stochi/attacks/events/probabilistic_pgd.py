"""PGD on the probabilities of events."""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch

from stochi.attacks.events.budget import DELETE, INSERT
from stochi.attacks.events.gradient import EventGradientAttack, Surface, break_ties
from stochi.attacks.events.menu import Menu
from stochi.attacks.events.places import flatten_places
from stochi.attacks.events.selection import select
from stochi.attacks.expectation import (
    Outcome,
    expected_outcome,
    expected_slope,
    is_worse,
    where_outcome,
)
from stochi.attacks.objectives import TINY, margin
from stochi.attacks.samplewise import choose
from stochi.errors import InputError

SAMPLINGS = ("gumbel", "straight-through")
FLOOR = 0.01
"""Smallest probability of the less likely outcome at a place that may change."""
BISECTIONS = 30
"""Number of bisections of the threshold that projects probabilities onto the budget."""


class Sampled(NamedTuple):
    """Sampled events, and the derivatives of their relaxation by the probabilities."""

    events: torch.Tensor
    slope: torch.Tensor | float


@dataclass(frozen=True)
class ProbabilisticPGD(EventGradientAttack):
    """Climb the probabilities of events (Büchel et al., Frontiers in Neuroscience 2022).

    Every place has a probability of an event, at first 1 or 0 as in the clean sample. An iteration
    samples events, takes the margin's gradient there and moves the probabilities along it; then it
    shrinks their changes, so that no more changes are expected than the budget allows. In the end,
    the changes of largest value that the budget allows are made: those to places that became
    likely, from places that became unlikely. On a model that is not random, the best of these
    results on the way is kept.

    Attributes:
        iterations: number of iterations.
        step_size: largest change of a probability in an iteration.
        samples: samples of events for a gradient on a model that is not random; on a random one,
            ``draws``, each with one run.
        sampling: "gumbel": the gradient of a binary Gumbel-softmax; "straight-through": that of the
            probability itself. Either way, the model sees whole events.
        temperature: of the Gumbel-softmax.
    """

    iterations: int = 50
    step_size: float = field(default=0.25, kw_only=True)
    samples: int = field(default=5, kw_only=True)
    sampling: str = field(default="straight-through", kw_only=True)
    temperature: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts("iterations", "samples")
        if self.sampling not in SAMPLINGS:
            raise InputError(f"sampling is {self.sampling!r}; choose from {', '.join(SAMPLINGS)}")
        for name in ("step_size", "temperature"):
            if not 0 < getattr(self, name) < float("inf"):
                raise InputError(f"{name} is {getattr(self, name)}; it must be a number above 0")

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        how = "" if self.sampling == "straight-through" else f" {self.sampling}"
        return f"probabilistic PGD-{self.iterations}{how} {self.sampled}"

    def search(
        self, surface: Surface, menu: Menu, limits: torch.Tensor, generator: torch.Generator
    ) -> list[torch.Tensor]:
        """Climb, and project at the end or, if the model is not random, after each iteration."""
        clean = menu.clean.float()
        movable = menu.touched(menu.legal)[:, :-1]
        toggles = INSERT in self.used.kinds or DELETE in self.used.kinds
        room = limits if toggles else 2 * limits  # a move changes two places
        probabilities, best = clean, menu.clean
        kept: Outcome | None = None
        for iteration in range(self.iterations):
            gradient = self.gradient(surface, menu, probabilities, movable, generator)
            step = gradient / gradient.abs().amax(1, keepdim=True).clamp_min(TINY)
            moved = torch.where(movable, probabilities + self.step_size * step, clean)
            probabilities = clean + shrink(moved.clamp(0, 1) - clean, room)
            last = iteration == self.iterations - 1
            if surface.random and not last:
                continue
            values = break_ties(menu.values(probabilities - clean), generator)
            made = select(menu, values.masked_fill(values <= 0, -torch.inf), limits)
            events = menu.events(made)
            if surface.random:
                return [events]
            found = expected_outcome(surface.model, menu.frames(events), surface.labels, 1, 1, 1)
            if kept is None:
                best, kept = events, found
            worse = is_worse(found, kept)
            best, kept = choose(worse, events, best), where_outcome(worse, found, kept)
        return [best]

    def gradient(
        self,
        surface: Surface,
        menu: Menu,
        probabilities: torch.Tensor,
        movable: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Return the margin's gradient by the probabilities, (n, places), over samples."""
        count = surface.draws if surface.random else self.samples
        floor = torch.where(movable, FLOOR, 0.0)
        likely = torch.minimum(torch.maximum(probabilities, floor), 1 - floor).repeat(count, 1)
        sampled = self.sample(likely, generator)
        labels = surface.labels.repeat(count)
        slope = expected_slope(surface.model, menu.frames(sampled.events), labels, 1, margin, 1)
        gradients = flatten_places(slope.gradients) * sampled.slope
        return gradients.view(count, *probabilities.shape).mean(0)

    def sample(self, probabilities: torch.Tensor, generator: torch.Generator) -> Sampled:
        """Sample events from (rows, places) probabilities."""
        noise = torch.rand(
            probabilities.shape, generator=generator, device=probabilities.device
        ).clamp_min(TINY)
        events = noise < probabilities
        if self.sampling == "straight-through":
            return Sampled(events, 1.0)
        # An event is sampled if logit(probability) − logit(noise) > 0; its relaxation is a sigmoid.
        odds = probabilities.clamp(TINY, 1 - 1e-6).logit() - noise.clamp_max(1 - 1e-6).logit()
        relaxed = (odds / self.temperature).sigmoid()
        width = (probabilities * (1 - probabilities)).clamp_min(FLOOR * (1 - FLOOR))
        return Sampled(events, relaxed * (1 - relaxed) / (self.temperature * width))


def shrink(change: torch.Tensor, limits: torch.Tensor) -> torch.Tensor:
    """Return the nearest change, in L2, whose sizes add up to at most each row's limit.

    Args:
        change: (n, places).
        limits: (n,).
    """
    size = change.abs()
    low, high = torch.zeros_like(size[:, :1]), size.amax(1, keepdim=True)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        over = (size - middle).clamp_min(0).sum(1, keepdim=True) > limits[:, None]
        low, high = torch.where(over, middle, low), torch.where(over, high, middle)
    fits = size.sum(1, keepdim=True) <= limits[:, None]
    return torch.where(fits, change, change.sign() * (size - high).clamp_min(0))
