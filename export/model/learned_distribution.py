"""Distributions of λ with learned parameters, and tables of decays as functions of these."""

from typing import NamedTuple

import numpy as np
import torch

from stochi.errors import InputError
from stochi.hardware.distributions import DecayDistribution, LogitNormal, Reparameterized
from stochi.hardware.fixed_point import DECAY_UNITY


class LearnedDecays(NamedTuple):
    """A layer's decays as differentiable functions of the learned parameters.

    Attributes:
        levels: (n,) λ of each decay in the table, or (1,) if there is only one decay.
        mean: E[λ], scalar, for a stock neuron, whose weights contain the gain 1 − E[λ]; else None.
    """

    levels: torch.Tensor
    mean: torch.Tensor | None


def check_learnable(distribution: DecayDistribution, sampling: str) -> Reparameterized:
    """Return the distribution if a neuron with this sampling can learn its parameters.

    Raises:
        InputError: the distribution has no parameters, or the neuron's step is not a smooth
            function of them.
    """
    if not isinstance(distribution, Reparameterized):
        raise InputError(
            f"learn_distribution is set, but the {distribution.name!r} distribution has no"
            " parameters to learn; choose LogitNormal, Uniform or NormalTau"
        )
    if sampling == "fixed":
        raise InputError(
            "learn_distribution is set, but sampling='fixed' draws each neuron's decay once and"
            " never again from the learned distribution; choose sampling='step', 'forward' or"
            " 'mean'"
        )
    if sampling == "mean" and isinstance(distribution, LogitNormal):
        raise InputError(
            "learn_distribution is set, but with sampling='mean' λ is ½ for every σ of a"
            " LogitNormal; choose another sampling, or Uniform or NormalTau"
        )
    return distribution


def learned_levels(
    distribution: Reparameterized, parameters: torch.Tensor, decays: np.ndarray, drawn: bool = True
) -> torch.Tensor:
    """Return a chip's decays as λ, (n,) float64, with the gradients of the unrounded values.

    Args:
        distribution: the distribution of λ.
        parameters: (k,) parameters of the distribution.
        decays: 12-bit integers: a table of n decays, the distribution's rounded quantiles at
            (i + ½)/n, or, if not ``drawn``, its rounded mean alone.
        drawn: whether the chip draws from the table.
    """
    parameters = parameters.double()  # holds every 12-bit decay, whatever the model's type
    if drawn:
        noise = distribution.noise_levels(len(decays)).to(parameters)
        smooth = distribution.decays(noise, *parameters)
    else:
        smooth = distribution.mean_decay(*parameters)[None]
    exact = torch.from_numpy(decays).to(smooth) / DECAY_UNITY
    return exact.reshape(smooth.shape) + (smooth - smooth.detach())
