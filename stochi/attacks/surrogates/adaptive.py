"""A surrogate that fits its sharpness to each neuron while the attack climbs."""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple

import torch

from stochi.arguments import check_fields
from stochi.attacks.surrogates.kernels import arctan
from stochi.attacks.surrogates.surrogate import SlopeRule, Surrogate
from stochi.errors import InputError

RETAINED = 0.9
"""Share of the moments that an iteration keeps."""
REACH = 1.5
"""Mean deviations beyond the mean distance that the kernel reaches."""
TINY = 1e-4
"""Floor of the reach, in the membrane's unit."""


class Moments(NamedTuple):
    """Running mean of |u − θ|, and of its absolute deviation from that mean."""

    mean: torch.Tensor
    deviation: torch.Tensor


def start_moments(like: torch.Tensor) -> Moments:
    """Return the moments before the first iteration: 1 and 0."""
    return Moments(torch.ones_like(like), torch.zeros_like(like))


def update_moments(moments: Moments, distance: torch.Tensor) -> Moments:
    """Return the moments after one more iteration's distances."""
    size = distance.abs()
    mean = RETAINED * moments.mean + (1 - RETAINED) * size
    deviation = RETAINED * moments.deviation + (1 - RETAINED) * (size - mean).abs()
    return Moments(mean, deviation)


@dataclass(frozen=True)
class AdaptiveSurrogate(Surrogate):
    """ASSG (arXiv:2512.22522): an arctan as sharp as each neuron's distances allow.

    Every neuron, sample and time step keeps moments of its distance from the threshold over the
    attack's iterations. The sharpness ``2·tan(π·h)/π / (M + 1.5·D)`` makes the kernel cover the
    share 2·h of the step within the distances that occur there. Over several draws of a random
    model, the first draw alone updates the moments; in layers that fold time or positions into
    their rows, every row has its own.

    Attributes:
        coverage: h in (0, 0.5); the paper's default is 0.425, and it searches 0.35 to 0.49.
    """

    coverage: float = 0.425

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 < self.coverage < 0.5:
            raise InputError(f"coverage is {self.coverage}; it must lie in (0, 0.5)")

    @property
    def name(self) -> str:
        """Name in titles and options."""
        standard = self.coverage == AdaptiveSurrogate.coverage
        return "adaptive" if standard else f"adaptive-{self.coverage:g}"

    def begin(self) -> SlopeRule:
        """Return a rule with moments of its own."""
        return _AdaptiveRule(2 * math.tan(math.pi * self.coverage) / math.pi)


class _AdaptiveRule:
    """The moments of one climb, by place."""

    def __init__(self, numerator: float) -> None:
        self.numerator = numerator
        self.moments: dict[Hashable, Moments] = {}

    def __call__(self, distance: torch.Tensor, place: Hashable, first: int | None) -> torch.Tensor:
        seen = distance if first is None else distance[:first]
        known = self.moments.get(place)
        if known is None or known.mean.shape != seen.shape:
            known = start_moments(seen)
        self.moments[place] = moments = update_moments(known, seen)
        sharpness = self.numerator / (moments.mean + REACH * moments.deviation + TINY)
        return arctan(distance.view(-1, *seen.shape), sharpness).view_as(distance)
