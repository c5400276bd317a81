"""Distributions of λ from which neurons may draw, by their quantiles."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from functools import cache, cached_property
from statistics import NormalDist
from typing import Any

import numpy as np
import torch

from stochi.errors import InputError

_MEAN_LEVELS = 2**12
_NORMAL = NormalDist()


class DecayDistribution(ABC):
    """A law of λ = 1 − 1/τ in [0, 1]."""

    name: str

    @abstractmethod
    def quantile(self, share: float) -> float:
        """The λ below which a share in (0, 1) of all draws lies."""

    @abstractmethod
    def draw(self, like: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        """One λ for each element of ``like``, of its shape, type and device."""

    @cached_property
    def mean(self) -> float:
        """E[λ], as the mean of its quantiles."""
        shares = (np.arange(_MEAN_LEVELS) + 0.5) / _MEAN_LEVELS
        return float(np.mean([self.quantile(share) for share in shares]))

    @property
    def parameters(self) -> tuple[float, ...]:
        """What :func:`make_distribution` makes it from again."""
        values: list[float] = []
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            values += value if isinstance(value, tuple) else [value]
        return tuple(values)


class Reparameterized(DecayDistribution):
    """A law whose draws are a smooth function of its parameters, and of noise that does not depend
    on them; the parameters, numbers or scalar tensors, are in the order of its fields."""

    noise: str
    """"normal": N(0, 1), or "uniform": in (0, 1)."""

    @staticmethod
    @abstractmethod
    def decays(noise: torch.Tensor, *parameters: Any) -> torch.Tensor:
        """The λ of each element of the noise, ascending with it."""

    @staticmethod
    @abstractmethod
    def project(parameters: torch.Tensor) -> torch.Tensor:
        """The nearest parameters, (k,), with which there is such a law."""

    @classmethod
    def mean_decay(cls, *parameters: Any) -> torch.Tensor:
        """E[λ], scalar, as a function of the parameters; :attr:`mean` but for rounding."""
        like = torch.as_tensor(parameters[0])
        return cls.decays(cls.noise_levels(_MEAN_LEVELS).to(like), *parameters).mean()

    @classmethod
    def noise_levels(cls, levels: int) -> torch.Tensor:
        """(levels,) float64, the noise's quantiles at (i + ½)/levels."""
        return _noise_levels(cls.noise, levels)

    def draw(self, like: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        """See :class:`DecayDistribution`."""
        return self.decays(self.draw_noise(like, generator), *self.parameters)

    @classmethod
    def draw_noise(cls, like: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        """Noise for each element of ``like``, of its shape, type and device."""
        draw = torch.randn if cls.noise == "normal" else torch.rand
        return draw(like.shape, generator=generator, device=like.device, dtype=like.dtype)


@dataclass(frozen=True)
class LogitNormal(Reparameterized):
    """``λ = sigmoid(σ·ε)``, ε ~ N(0, 1): RandHet-SNN's (Wang et al., iScience 2025), mean ½."""

    sigma: float = 1.0
    name = "logit-normal"
    noise = "normal"

    def __post_init__(self) -> None:
        if not math.isfinite(self.sigma) or self.sigma < 0:
            raise InputError(f"sigma is {self.sigma}; it must be a finite number of at least 0")

    @cached_property
    def mean(self) -> float:
        """½, by symmetry."""
        return 0.5

    def quantile(self, share: float) -> float:
        """See :class:`DecayDistribution`."""
        return 1 / (1 + math.exp(-self.sigma * _NORMAL.inv_cdf(share)))

    @staticmethod
    def decays(noise: torch.Tensor, *parameters: Any) -> torch.Tensor:
        """See :class:`Reparameterized`."""
        (sigma,) = parameters
        return torch.sigmoid(sigma * noise)

    @staticmethod
    def project(parameters: torch.Tensor) -> torch.Tensor:
        """See :class:`Reparameterized`."""
        return parameters.clamp(min=0)

    @classmethod
    def mean_decay(cls, *parameters: Any) -> torch.Tensor:
        """½ whatever σ is: rounding must not become a gradient."""
        return torch.full_like(torch.as_tensor(parameters[0]), 0.5)


@dataclass(frozen=True)
class Uniform(Reparameterized):
    """λ uniform between two values in [0, 1]."""

    low: float
    high: float
    name = "uniform"
    noise = "uniform"

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:
            raise InputError(f"λ from {self.low} to {self.high}; both must lie in [0, 1], in order")

    def quantile(self, share: float) -> float:
        """See :class:`DecayDistribution`."""
        return self.low + share * (self.high - self.low)

    @staticmethod
    def decays(noise: torch.Tensor, *parameters: Any) -> torch.Tensor:
        """See :class:`Reparameterized`."""
        low, high = parameters
        return low + noise * (high - low)

    @staticmethod
    def project(parameters: torch.Tensor) -> torch.Tensor:
        """Limits in the wrong order meet in their middle."""
        low, high = parameters.unbind()
        ordered = parameters if low <= high else parameters.mean().expand(2)
        return ordered.clamp(0, 1)


@dataclass(frozen=True)
class NormalTau(Reparameterized):
    """τ normal, in steps; one below 1 counts as 1, which keeps nothing: λ = 1 − 1/max(τ, 1)."""

    mean_tau: float
    spread: float
    name = "normal-tau"
    noise = "normal"

    def __post_init__(self) -> None:
        if not (1 <= self.mean_tau < math.inf and 0 <= self.spread < math.inf):
            raise InputError(
                f"τ of mean {self.mean_tau} and spread {self.spread} steps; the mean must be at"
                " least 1, the spread at least 0"
            )

    def quantile(self, share: float) -> float:
        """See :class:`DecayDistribution`."""
        return 1 - 1 / max(self.mean_tau + self.spread * _NORMAL.inv_cdf(share), 1.0)

    @staticmethod
    def decays(noise: torch.Tensor, *parameters: Any) -> torch.Tensor:
        """See :class:`Reparameterized`."""
        mean_tau, spread = parameters
        return 1 - 1 / (mean_tau + spread * noise).clamp(min=1.0)

    @staticmethod
    def project(parameters: torch.Tensor) -> torch.Tensor:
        """See :class:`Reparameterized`."""
        return parameters.maximum(parameters.new_tensor([1.0, 0.0]))


@dataclass(frozen=True)
class Empirical(DecayDistribution):
    """Given values of λ, all equally likely."""

    values: tuple[float, ...]
    name = "empirical"

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(sorted(float(v) for v in self.values)))
        if not self.values or not all(0 <= value <= 1 for value in self.values):
            raise InputError("an empirical distribution needs values of λ, each in [0, 1]")

    @cached_property
    def mean(self) -> float:
        """Of the values."""
        return float(np.mean(self.values))

    def quantile(self, share: float) -> float:
        """See :class:`DecayDistribution`."""
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]

    def draw(self, like: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        """See :class:`DecayDistribution`."""
        values = torch.tensor(self.values, dtype=like.dtype, device=like.device)
        chosen = torch.randint(len(values), like.shape, generator=generator, device=like.device)
        return values[chosen]


DISTRIBUTIONS: dict[str, Any] = {
    kind.name: kind for kind in (LogitNormal, Uniform, NormalTau, Empirical)
}


def make_distribution(name: str, parameters: tuple[float, ...]) -> DecayDistribution:
    """The distribution of that name with those parameters, in the order of its fields.

    Raises:
        InputError: the name is unknown, or the parameters do not fit it.
    """
    if name not in DISTRIBUTIONS:
        raise InputError(f"unknown distribution {name!r}; known: {', '.join(DISTRIBUTIONS)}")
    try:
        made = Empirical(parameters) if name == Empirical.name else DISTRIBUTIONS[name](*parameters)
    except TypeError:
        raise InputError(f"distribution {name!r} does not take {len(parameters)} values") from None
    assert isinstance(made, DecayDistribution)
    return made


@cache
def _noise_levels(noise: str, levels: int) -> torch.Tensor:
    shares = (np.arange(levels) + 0.5) / levels
    if noise == "normal":
        shares = np.array([_NORMAL.inv_cdf(share) for share in shares])
    return torch.from_numpy(shares)
