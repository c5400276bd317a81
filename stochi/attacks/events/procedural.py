"""Procedural noise as a pattern of events: a universal perturbation without any gradient.

Perlin's gradient noise and Gabor noise fool networks for images, with parameters that are found by
queries (Co, Muñoz-González, de Maupeou and Lupu, CCS 2019). Here both are drawn in time and space,
and the places where the noise is largest become events: brighter where it is positive, darker where
it is negative.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from stochi.attacks.base import check_seed
from stochi.attacks.events.event_choice import choose_events
from stochi.attacks.events.event_pattern import EventPattern
from stochi.attacks.events.pattern_form import PatternForm
from stochi.errors import InputError

Size = tuple[int, int, int]
"""Time steps, height, width."""


@dataclass(frozen=True)
class ProceduralNoise(ABC):
    """Noise in time and space, as a function of few numbers.

    Attributes:
        wavelength: in pixels, above 0.
        duration: time steps of a wave, above 0.
        seed: whole number in [0, 2⁶⁴).

    Raises:
        InputError: a number is out of range.
    """

    wavelength: float = 8.0
    duration: float = 8.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("wavelength", "duration"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"{name} is {value}; it must be a finite number above 0")
        check_seed(self.seed)

    @property
    @abstractmethod
    def title(self) -> str:
        """Name in reports."""

    @abstractmethod
    def values(self, size: Size, generator: torch.Generator) -> torch.Tensor:
        """Return the noise at every time step and pixel, of shape ``size``."""

    def pattern(self, form: PatternForm) -> EventPattern:
        """Return the pattern of a form, of as many events as its budget allows.

        Raises:
            InputError: the budget has no count.
        """
        if form.budget.count is None:
            raise InputError("the budget has no count; noise needs one, to become as many events")
        steps, polarities, height, width = form.grid
        generator = torch.Generator().manual_seed(int(self.seed))
        noise = self.values((steps, height, width), generator)
        signed = (-noise, noise) if polarities > 1 else (noise.abs(),)
        scores = torch.full(form.grid, -torch.inf)
        for polarity, score in enumerate(signed):
            scores[:, polarity] = score.where(score > 0, -torch.inf)
        return choose_events(form, scores)


@dataclass(frozen=True)
class PerlinNoise(ProceduralNoise):
    """Perlin's gradient noise, in octaves, and its sine (Perlin, SIGGRAPH 1985).

    Attributes:
        octaves: number of octaves, from 1 to 8, each half as strong and twice as fine.
        bands: frequency of the sine that the noise passes through; 0 for none.
    """

    octaves: int = 1
    bands: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (isinstance(self.octaves, int) and 1 <= self.octaves <= 8):
            raise InputError(f"octaves is {self.octaves}; it must be a whole number from 1 to 8")
        if not (math.isfinite(self.bands) and self.bands >= 0):
            raise InputError(f"bands is {self.bands}; it must be a finite number of at least 0")

    @property
    def title(self) -> str:
        """Name in reports."""
        return "Perlin noise"

    def values(self, size: Size, generator: torch.Generator) -> torch.Tensor:
        """Return the noise at every time step and pixel."""
        noise = torch.zeros(size)
        for octave in range(self.octaves):
            scale = 2.0**octave
            periods = (self.duration / scale, self.wavelength / scale, self.wavelength / scale)
            noise += _gradient_noise(size, periods, generator) / scale
        return torch.sin(2 * math.pi * self.bands * noise) if self.bands else noise


@dataclass(frozen=True)
class GaborNoise(ProceduralNoise):
    """Gabor noise: waves of one direction under Gaussians at random places (Lagae et al., 2009).

    Attributes:
        angle: direction of the waves in radians.
        width: standard deviation of the Gaussians, in wavelengths and durations, above 0.
        kernels: number of Gaussians, at least 1.
    """

    angle: float = 0.0
    width: float = 1.0
    kernels: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (math.isfinite(self.width) and self.width > 0 and math.isfinite(self.angle)):
            raise InputError(
                f"angle and width are {self.angle} and {self.width}; both must be finite, and the"
                " width above 0"
            )
        if not (isinstance(self.kernels, int) and 1 <= self.kernels <= 10_000):
            raise InputError(
                f"kernels is {self.kernels}; it must be a whole number from 1 to 10000"
            )

    @property
    def title(self) -> str:
        """Name in reports."""
        return "Gabor noise"

    def values(self, size: Size, generator: torch.Generator) -> torch.Tensor:
        """Return the noise at every time step and pixel."""
        lengths = torch.tensor((self.duration, self.wavelength, self.wavelength))
        towards = torch.tensor((1.0, math.sin(self.angle), math.cos(self.angle)))
        centres = torch.rand((self.kernels, 3), generator=generator) * torch.tensor(size)
        phases = 2 * math.pi * torch.rand(self.kernels, generator=generator)
        noise = torch.zeros(size)
        grid = torch.stack(torch.meshgrid(*(torch.arange(n) for n in size), indexing="ij"), -1)
        for centre, phase in zip(centres, phases, strict=True):
            apart = (grid - centre) / lengths
            wave = torch.cos(2 * math.pi * (apart @ towards) + phase)
            noise += wave * torch.exp(-apart.square().sum(-1) / (2 * self.width**2))
        return noise


def _gradient_noise(
    size: Size, periods: tuple[float, float, float], generator: torch.Generator
) -> torch.Tensor:
    """Return Perlin's gradient noise, whose lattice has these periods, at a random shift."""
    shift = torch.rand(3, generator=generator)
    axes = [torch.arange(n) / p + s for n, p, s in zip(size, periods, shift, strict=True)]
    lattice = [int(axis[-1]) + 2 for axis in axes]
    gradients = torch.randn((*lattice, 3), generator=generator)
    gradients /= gradients.norm(dim=-1, keepdim=True)
    position = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    cell = position.floor().long()
    within = position - cell
    fade = within**3 * (within * (within * 6 - 15) + 10)
    noise = torch.zeros(size)
    for corner in torch.cartesian_prod(*(3 * [torch.arange(2)])):
        gradient = gradients[tuple((cell + corner).unbind(-1))]
        weight = torch.where(corner == 1, fade, 1 - fade).prod(-1)
        noise += weight * (gradient * (within - corner)).sum(-1)
    return noise
