"""λ's law with parameters that are learned, and tables of decays as functions of them."""

import numpy as np
import torch

from stochi.errors import InputError
from stochi.hardware.distributions import DecayDistribution, LogitNormal, Reparameterized
from stochi.hardware.fixed_point import DECAY_UNITY


def check_learnable(law: DecayDistribution, sampling: str) -> Reparameterized:
    """The law, if a neuron that draws from it so can learn its parameters.

    Raises:
        InputError: it has none, or what the neuron does is no smooth function of them.
    """
    if not isinstance(law, Reparameterized):
        raise InputError(
            f"learn_distribution is set, but the {law.name!r} distribution has no parameters to"
            " learn; choose LogitNormal, Uniform or NormalTau"
        )
    if sampling == "fixed":
        raise InputError(
            "learn_distribution is set, but sampling='fixed' draws each neuron's decay once, and"
            " never again from what is learned; choose sampling='step', 'forward' or 'mean'"
        )
    if sampling == "mean" and isinstance(law, LogitNormal):
        raise InputError(
            "learn_distribution is set, but with sampling='mean' λ is ½ for every σ of a"
            " LogitNormal; choose another sampling, or Uniform or NormalTau"
        )
    return law


def learned_levels(
    law: Reparameterized, parameters: torch.Tensor, decays: np.ndarray, drawn: bool = True
) -> torch.Tensor:
    """A chip's decays as λ, (n,) float64, with the gradients of what they were rounded from.

    Args:
        parameters: (k,), of the law.
        decays: of 12 bits: a table of n to draw from, the law's rounded quantiles at (i + ½)/n;
            or, where ``drawn`` is false, its one rounded mean.
    """
    parameters = parameters.double()  # holds every 12-bit decay, whatever the model's type
    if drawn:
        smooth = law.decays(law.noise_levels(len(decays)).to(parameters), *parameters)
    else:
        smooth = law.mean_decay(*parameters)[None]
    exact = torch.from_numpy(decays).to(smooth) / DECAY_UNITY
    return exact.reshape(smooth.shape) + (smooth - smooth.detach())
