"""Distributions of λ from which neurons draw, defined by their quantiles."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
import torch

from stochi.arguments import check_fields
from stochi.caching import cached_property
from stochi.errors import InputError, check_not_too_large

_MEAN_LEVELS = 2**12
_LARGEST_EXPONENT = 709.0
"""Largest whole number whose exponential is a float."""
_NORMAL = NormalDist()


class DecayDistribution(ABC):
    """A distribution of λ = 1 − 1/τ in [0, 1].

    Attributes:
        name: the name that :func:`make_distribution` takes.
    """

    name: str

    @abstractmethod
    def quantile(self, share: float) -> float:
        """Return the λ below which the given share, in (0, 1), of all draws lies."""

    @abstractmethod
    def draw(self, like: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        """Draw one λ for each element of ``like``, with its shape, type and device."""

    @cached_property
    def mean(self) -> float:
        """E[λ], computed as the mean of the quantiles."""
        shares = (np.arange(_MEAN_LEVELS) + 0.5) / _MEAN_LEVELS
        return float(np.mean([self.quantile(share) for share in shares]))

    @property
    def parameters(self) -> tuple[float, ...]:
        """Values from which :func:`make_distribution` builds the same distribution."""
        values: list[float] = []
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            values += value if isinstance(value, tuple) else [value]
        return tuple(values)


class Reparameterized(DecayDistribution):
    """A distribution whose draws are a smooth function of its parameters and of noise.

    The noise does not depend on the parameters. The parameters are numbers or scalar tensors, in
    the order of the class's fields.

    Attributes:
        noise: distribution of the noise, "normal" for N(0, 1) or "uniform" for uniform in (0, 1).
    """

    noise: str

    @staticmethod
    @abstractmethod
    def decays(noise: torch.Tensor, *parameters: Any) -> torch.Tensor:
        """Return λ for each element of the noise, ascending with the noise."""

    @staticmethod
    @abstractmethod
    def project(parameters: torch.Tensor) -> torch.Tensor:
        """Return the nearest valid parameters of this distribution, (k,)."""

    @classmethod
    def mean_decay(cls, *parameters: Any) -> torch.Tensor:
        """Return E[λ], scalar, as a function of the parameters; :attr:`mean` up to rounding."""
        like = torch.as_tensor(parameters[0])
        return cls.decays(cls.noise_levels(_MEAN_LEVELS).to(like), *parameters).mean()

    @classmethod
    def noise_levels(cls, levels: int) -> torch.Tensor:
        """Return the noise's quantiles at (i + ½)/levels, (levels,) float64."""
        return _noise_levels(cls.noise, levels)

    def draw(self, like: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        """See :class:`DecayDistribution`."""
        return self.decays(self.draw_noise(like, generator), *self.parameters)

    @classmethod
    def draw_noise(cls, like: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        """Draw noise for each element of ``like``, with its shape, type and device."""
        draw = torch.randn if cls.noise == "normal" else torch.rand
        return draw(like.shape, generator=generator, device=like.device, dtype=like.dtype)


@dataclass(frozen=True)
class LogitNormal(Reparameterized):
    """``λ = sigmoid(σ·ε)`` with ε ~ N(0, 1), as in RandHet-SNN (Wang et al., iScience 2025).

    Its mean is ½.
    """

    sigma: float = 1.0
    name = "logit-normal"
    noise = "normal"

    def __post_init__(self) -> None:
        check_fields(self)
        if not math.isfinite(self.sigma) or self.sigma < 0:
            raise InputError(f"sigma is {self.sigma}; it must be a finite number of at least 0")
        check_not_too_large(sigma=self.sigma)

    @cached_property
    def mean(self) -> float:
        """½, by symmetry."""
        return 0.5

    def quantile(self, share: float) -> float:
        """See :class:`DecayDistribution`."""
        exponent = -self.sigma * _NORMAL.inv_cdf(share)
        return 1 / (1 + math.exp(min(exponent, _LARGEST_EXPONENT)))

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
        """Return ½ for every σ: a rounding error must not become a gradient."""
        return torch.full_like(torch.as_tensor(parameters[0]), 0.5)


@dataclass(frozen=True)
class Uniform(Reparameterized):
    """λ uniform between two limits in [0, 1]."""

    low: float
    high: float
    name = "uniform"
    noise = "uniform"

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 <= self.low <= self.high <= 1:
            raise InputError(
                f"λ from {self.low} to {self.high}; both must lie in [0, 1], in ascending order"
            )

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
        """Return valid limits; two in the wrong order both become their mean."""
        low, high = parameters.unbind()
        ordered = parameters if low <= high else parameters.mean().expand(2)
        return ordered.clamp(0, 1)


@dataclass(frozen=True)
class NormalTau(Reparameterized):
    """λ = 1 − 1/max(τ, 1) with a normal τ in time steps; a τ of at most 1 keeps nothing."""

    mean_tau: float
    spread: float
    name = "normal-tau"
    noise = "normal"

    def __post_init__(self) -> None:
        check_fields(self)
        if not (1 <= self.mean_tau < math.inf and 0 <= self.spread < math.inf):
            raise InputError(
                f"τ with mean {self.mean_tau} and spread {self.spread} time steps; the mean must be"
                " at least 1 and the spread at least 0, both finite"
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
        check_fields(self)
        object.__setattr__(self, "values", tuple(sorted(float(v) for v in self.values)))
        if not self.values or not all(0 <= value <= 1 for value in self.values):
            raise InputError("an empirical distribution needs values of λ, each in [0, 1]")

    @cached_property
    def mean(self) -> float:
        """Mean of the values."""
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
    """Build the distribution with this name from its parameters, in the order of its fields.

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
