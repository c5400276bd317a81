"""SpikeFool: SparseFool on events."""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch

from stochi.attacks.events.gradient import EventGradientAttack, Surface, break_ties
from stochi.attacks.events.judging import any_right, confirm_wrong
from stochi.attacks.events.menu import Menu
from stochi.attacks.events.pruning import prune_by_value
from stochi.attacks.events.selection import select
from stochi.attacks.expectation import JUDGING_DRAWS
from stochi.attacks.objectives import TINY, targeted_margin
from stochi.attacks.samplewise import choose
from stochi.attacks.targets import nearest_classes_of
from stochi.errors import InputError

SIDE_BY_SIDE = 10
"""Smallest number of runs of a confirmation at once."""
PAST = 1.02
"""How far DeepFool's steps go, as a multiple of the distance to the boundary."""


class Plane(NamedTuple):
    """A linear model of the boundary: wrong where ``normal · (x − events) ≥ distance``."""

    normal: torch.Tensor
    distance: torch.Tensor


@dataclass(frozen=True)
class SpikeFool(EventGradientAttack):
    """SparseFool (Modas et al., CVPR 2019) on events, as Büchel et al. (2022) use it.

    Each iteration walks from the events to the boundary as DeepFool does, over values between 0 and
    1, and takes the boundary there for a plane. The changes that lead across the plane are made, as
    whole events, the ones that lead furthest first and no more than needed. A sample is done when
    no run is right, confirmed over fresh ones; then changes that are not needed are dropped.

    Attributes:
        iterations: largest number of planes.
        walk: largest number of DeepFool's steps to each plane.
        classes: wrong classes that DeepFool considers, those with the highest logits.
        overshoot: λ ≥ 1, how far across the plane, as a multiple of the distance to it.
        prunes: as for :class:`SparseGradient`; 0, as published.
    """

    iterations: int = 20
    walk: int = field(default=3, kw_only=True)
    classes: int = field(default=3, kw_only=True)
    overshoot: float = field(default=1.5, kw_only=True)
    prunes: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts("iterations", "walk", "classes")
        self.check_counts("prunes", least=0)
        if not 1 <= self.overshoot < float("inf"):
            raise InputError(f"overshoot is {self.overshoot}; it must be a number of at least 1")

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"SpikeFool-{self.iterations} {self.sampled}"

    def search(
        self, surface: Surface, menu: Menu, limits: torch.Tensor, generator: torch.Generator
    ) -> list[torch.Tensor]:
        """Cross one plane after another."""
        made = menu.none()
        done = torch.zeros_like(surface.labels, dtype=torch.bool)
        for _ in range(self.iterations):
            events = menu.events(made)
            frames = menu.frames(events)
            done |= _are_wrong(surface, frames, ~done)
            room = torch.where(done, 0, limits - made.sum(1))
            if not bool((room > 0).any()):
                break
            plane = self.find_plane(surface, menu, events)
            values = break_ties(menu.values(plane.normal), generator)
            values = values.masked_fill(values <= 0, -torch.inf)
            new = _cross(menu, values, self.overshoot * plane.distance, room, made)
            if not bool(new.any()):
                break
            made = made | new
        found = menu.events(made)
        if not self.prunes or not bool(made.any()):
            return [found]
        return [prune_by_value(surface, menu, made, self.prunes), found]

    def find_plane(self, surface: Surface, menu: Menu, events: torch.Tensor) -> Plane:
        """Walk to the boundary and return its plane."""
        start = events.float()
        point, ahead = start, torch.ones_like(surface.labels, dtype=torch.bool)
        lead, normal = self.nearest(surface, menu, point)
        slope = normal
        for step in range(self.walk):
            if step:
                lead, slope = self.nearest(surface, menu, point)
            ahead = ahead & (lead < 0)
            normal = choose(ahead, slope, normal)
            if not bool(ahead.any()):
                break
            squared = slope.square().sum(1).clamp_min(TINY)
            further = (PAST * lead.abs() / squared)[:, None] * slope
            point = choose(ahead, (point + further).clamp(0, 1), point)
        distance = (normal * (point - start)).sum(1)
        return Plane(normal, distance.clamp_min(0))

    def nearest(
        self, surface: Surface, menu: Menu, points: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the lead (n,) of the class whose boundary is nearest, and its gradient."""
        frames = menu.frames(points)
        targets = nearest_classes_of(surface.logits(frames), surface.labels, self.classes)
        slopes = [surface.slope(frames, targeted_margin(target)) for target in targets]
        leads, gradients = (torch.stack([s[part] for s in slopes]) for part in (0, 1))
        apart = leads.abs() / gradients.norm(dim=2).clamp_min(TINY)
        nearest, samples = apart.argmin(0), torch.arange(len(points), device=points.device)
        return leads[nearest, samples], gradients[nearest, samples]


def _are_wrong(surface: Surface, frames: torch.Tensor, among: torch.Tensor) -> torch.Tensor:
    """Return which of some samples no run is right about, confirmed over fresh ones, (n,) bool."""
    right = any_right(surface.model, frames, surface.labels, surface.draws)
    wrong = among & ~right
    rows = wrong.nonzero().flatten()
    if not surface.random or not len(rows):
        return wrong
    # Many runs side by side: a call with few costs as much.
    draws = max(surface.draws, SIDE_BY_SIDE)
    asked = (frames[:, rows], surface.labels[rows])
    fresh = confirm_wrong(surface.model, *asked, draws, JUDGING_DRAWS)
    return wrong.index_put((rows,), fresh)


def _cross(
    menu: Menu,
    values: torch.Tensor,
    distance: torch.Tensor,
    room: torch.Tensor,
    made: torch.Tensor,
) -> torch.Tensor:
    """Return the changes of largest value that add up to the distance, at least one."""
    chosen = select(menu, values, room, made)
    gains = torch.where(chosen, values, 0.0)
    ranked = gains.sort(dim=1, descending=True)
    before = ranked.values.cumsum(1) - ranked.values
    needed = (before < distance[:, None]) | (torch.arange(values.shape[1]) == 0).to(before.device)
    return chosen & torch.zeros_like(chosen).scatter(1, ranked.indices, needed)
