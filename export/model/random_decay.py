"""Neurons that draw their decay λ: what ``RandomTauLeaky`` and a graph's neurons have in common."""

import numpy as np
import torch
from torch import nn

from stochi.errors import InputError
from stochi.export.model.learned_distribution import (
    LearnedDecays,
    check_learnable,
    learned_levels,
)
from stochi.hardware.decays import decay_table
from stochi.hardware.distributions import DecayDistribution, Reparameterized
from stochi.hardware.fixed_point import DECAY_UNITY
from stochi.program.layers import Decay


class RandomDecay(nn.Module):
    """Base of neuron modules that draw λ from a distribution.

    Attributes:
        sampling: when λ is drawn for every neuron of every sample: at each ``"step"``, once per
            ``"forward"`` pass, ``"fixed"`` (once for ever) or never (``"mean"``: λ = E[λ]).
        input_gain: "coupled" for a gain of 1 − λ, or "mean" for 1 − E[λ].
        bits: b to draw from the 2^b levels of a chip's table; None for the distribution itself.
        generator: ``torch.Generator`` of the draws; None for torch's default one.
        learn_distribution: whether the distribution's parameters are learned.
        distribution_parameters: the learned parameters, or None.
        levels: (2^b,) the table's levels, or empty.
    """

    sampling: str
    input_gain: str
    bits: int | None
    generator: torch.Generator | None
    learn_distribution: bool
    distribution_parameters: nn.Parameter | None
    levels: torch.Tensor
    fixed_decay: torch.Tensor

    def begin_drawing(
        self,
        distribution: DecayDistribution,
        *,
        sampling: str,
        input_gain: str,
        bits: int | None,
        generator: torch.Generator | None,
        learn: bool,
    ) -> None:
        """Set the options, once torch's own constructor has run.

        Raises:
            InputError: the distribution cannot be learned.
        """
        self._distribution = distribution
        self.learn_distribution = learn
        self.distribution_parameters = None
        if learn:
            check_learnable(distribution, sampling)
            self.distribution_parameters = nn.Parameter(torch.tensor(distribution.parameters))
        self.sampling, self.input_gain = sampling, input_gain
        self.bits, self.generator = bits, generator
        levels = torch.zeros(0)
        if bits is not None and not learn:
            levels = levels_of(distribution, bits).to(torch.get_default_dtype())
        self.register_buffer("levels", levels, persistent=False)
        self.register_buffer("fixed_decay", torch.zeros(0))
        self._forward_decay: torch.Tensor | None = None
        self._table: tuple[Reparameterized, np.ndarray] | None = None

    @property
    def learns_decays(self) -> bool:
        """Whether λ is drawn from a distribution whose parameters are learned."""
        return getattr(self, "learn_distribution", False)

    @property
    def distribution(self) -> DecayDistribution:
        """Distribution of λ, with the current parameters."""
        if self.learn_distribution:
            self.learned_distribution()
        return self._distribution

    @distribution.setter
    def distribution(self, distribution: DecayDistribution) -> None:
        """Set another distribution; raise InputError if its parameters are learned."""
        if self.learn_distribution:
            raise InputError("this neuron learns its distribution; set its distribution_parameters")
        self._distribution = distribution
        self.take_mean(distribution.mean)
        if self.bits is not None:
            self.levels = levels_of(distribution, self.bits).to(self.levels)

    def take_mean(self, mean: float) -> None:
        """Note E[λ], for other code; drawing does not read it."""

    def learned_distribution(self) -> tuple[Reparameterized, nn.Parameter]:
        """Return the learned distribution and its parameters (k,), moved into their range."""
        distribution, parameters = self._distribution, self.distribution_parameters
        assert isinstance(distribution, Reparameterized) and parameters is not None
        with torch.no_grad():
            inside = distribution.project(parameters)
            if not torch.equal(inside, parameters):
                parameters.copy_(inside)
        values = tuple(parameters.tolist())
        if values != distribution.parameters:
            self._distribution = distribution = type(distribution)(*values)
            self.take_mean(distribution.mean)
        return distribution, parameters

    def draw_decay(self, current: torch.Tensor) -> torch.Tensor | float:
        """Return λ for this step, with the input's shape (batch, …), type and device, or E[λ]."""
        if self.sampling == "mean":
            return self.mean_decay()
        if self.sampling == "step":
            return self._draw(current)
        if self.sampling == "forward":
            if self._forward_decay is None:
                self._forward_decay = self._draw(current)
            return self._forward_decay
        if self.fixed_decay.numel() == 0:
            self.fixed_decay = self._draw(current[:1])[0]
        if self.fixed_decay.shape != current.shape[1:]:
            raise InputError(
                f"this neuron's fixed decays were drawn for shape {tuple(self.fixed_decay.shape)},"
                f" the input has {tuple(current.shape[1:])}; use one neuron per layer"
            )
        return self.fixed_decay

    def forget_draws(self) -> None:
        """Begin a new forward pass."""
        self._forward_decay = None

    def mean_decay(self) -> torch.Tensor | float:
        """Return E[λ]."""
        if self.learn_distribution:
            distribution, parameters = self.learned_distribution()
            return distribution.mean_decay(*parameters)
        return self._distribution.mean

    def learned_decays(self, decay: Decay) -> LearnedDecays:
        """Return the chip's decays as functions of the distribution's parameters."""
        distribution, parameters = self.learned_distribution()
        return LearnedDecays(
            learned_levels(distribution, parameters, decay.values, decay.drawn),
            None if decay.programmable else distribution.mean_decay(*parameters.double()),
        )

    def _draw(self, like: torch.Tensor) -> torch.Tensor:
        if self.bits is not None:
            index = torch.randint(
                2**self.bits, like.shape, generator=self.generator, device=like.device
            )
            levels = self.levels
            if self.learn_distribution:
                distribution, parameters = self.learned_distribution()
                table = self._table_of(distribution, self.bits)
                levels = learned_levels(distribution, parameters, table)
            return levels.to(like.device)[index].to(like.dtype)
        if self.learn_distribution:
            distribution, parameters = self.learned_distribution()
            return distribution.decays(distribution.draw_noise(like, self.generator), *parameters)
        return self._distribution.draw(like, self.generator)

    def _table_of(self, distribution: Reparameterized, bits: int) -> np.ndarray:
        """Return the distribution's 12-bit decays, computed again only if it has changed."""
        if self._table is None or self._table[0] != distribution:
            self._table = (distribution, decay_table(distribution, bits))
        return self._table[1]


def levels_of(distribution: DecayDistribution, bits: int) -> torch.Tensor:
    """Return the values of λ in the chip's table, (2^b,) float64."""
    return torch.from_numpy(decay_table(distribution, bits)) / DECAY_UNITY
