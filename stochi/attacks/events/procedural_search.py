"""Procedural noise chosen by queries: the black-box baseline of universal patterns."""

import math
from dataclasses import dataclass, replace

import torch
from torch import nn

from stochi.arguments import check_arguments, check_fields
from stochi.attacks.events.budget import EventBudget, as_budget
from stochi.attacks.events.event_pattern import EventPattern
from stochi.attacks.events.fooling import fooling_rate
from stochi.attacks.events.offsets import Offsets
from stochi.attacks.events.pattern_form import EventSamples
from stochi.attacks.events.procedural import GaborNoise, PerlinNoise, ProceduralNoise
from stochi.attacks.events.universal import universal_form
from stochi.errors import InputError, check_at_least_one
from stochi.hardware.draws import check_coordinates
from stochi.program.program import Program

FAMILIES = ("perlin", "gabor")
SEARCH_APART = 0x5EA4C4
"""Turns a search's seed into that of its shifts and runs, so that fooling rates have others."""


@dataclass(frozen=True)
class NoiseSearch:
    """How noise is searched for.

    Attributes:
        families: kinds of noise that are tried in turn, of ``FAMILIES``.
        candidates: number of noises tried.
        trials: runs of the network on each sample and candidate.
        seed: of the noises, the shifts and the network's draws, in [0, 2³²). A fooling rate with
            the same seed has other shifts and draws.
    """

    families: tuple[str, ...] = FAMILIES
    candidates: int = 30
    trials: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least_one(candidates=self.candidates, trials=self.trials)
        check_coordinates(seed=self.seed)
        if not self.families or not set(self.families) <= set(FAMILIES):
            raise InputError(
                f"families are {', '.join(map(repr, self.families)) or 'empty'}; choose from"
                f" {', '.join(FAMILIES)}"
            )


def search_noise(
    model: nn.Module | Program,
    samples: EventSamples,
    budget: EventBudget | int,
    *,
    offsets: Offsets | None = None,
    target: int | None = None,
    search: NoiseSearch | None = None,
) -> EventPattern:
    """Draw parameters of noise at random and return the pattern that fools the network most.

    Only answers are asked for. Co et al. (CCS 2019) search with Bayesian optimization, which
    needs fewer queries.

    Args:
        model: as for :func:`stochi.attacks.fooling_rate`.
        samples: labelled events to choose by.
        budget: number of events, or a budget with a count.
        offsets: as for :func:`stochi.attacks.train_universal`.
        target: as for :func:`stochi.attacks.fooling_rate`.
        search: how the noise is searched for.

    Raises:
        InputError: an argument is out of range, or the network gets no sample right.
    """
    check_arguments(search_noise, locals())
    search = search or NoiseSearch()
    form = universal_form(samples, as_budget(budget), offsets)
    generator = torch.Generator().manual_seed(int(search.seed))
    best, most, judged_by = EventPattern(form), -1.0, int(search.seed) ^ SEARCH_APART
    for number in range(search.candidates):
        family = search.families[number % len(search.families)]
        noise = _draw_noise(family, form.shape, generator)
        pattern = noise.pattern(replace(form, title=noise.title))
        found = fooling_rate(
            model, pattern, samples, trials=search.trials, target=target, seed=judged_by
        )
        if found.rate.value > most:
            best, most = pattern, found.rate.value
    return best


def _draw_noise(
    family: str, shape: tuple[int, int, int, int], generator: torch.Generator
) -> ProceduralNoise:
    """Draw the parameters of a noise for samples of this shape."""
    steps, _, height, width = shape
    seed = int(torch.randint(2**31, (1,), generator=generator))

    def between(low: float, high: float) -> float:
        share = float(torch.rand(1, generator=generator))
        return math.exp(math.log(low) + share * (math.log(high) - math.log(low)))

    wavelength = between(2.0, max(4.0, float(max(height, width))))
    duration = between(2.0, max(4.0, 4.0 * steps))
    if family == "perlin":
        octaves = int(torch.randint(1, 5, (1,), generator=generator))
        return PerlinNoise(wavelength, duration, seed, octaves, between(0.25, 4.0))
    angle = 2 * math.pi * float(torch.rand(1, generator=generator))
    return GaborNoise(wavelength, duration, seed, angle, between(0.25, 2.0))
