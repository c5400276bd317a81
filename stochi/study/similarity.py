"""How much the directions in which an attacker is sent depend on the draws."""

from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional

from stochi.attacks import PGD
from stochi.attacks.expectation import answers


def gradient_similarities(
    model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, draws: int
) -> torch.Tensor:
    """The mean cosine between the cross-entropy's gradients of two draws, (images,).

    The RandHet paper (Wang et al., iScience 2025) compares such gradients. Where one is 0, as
    that of a model without doubt can be, the cosine counts as 0.

    Args:
        model, inputs, labels: as for an attack, whose seeds they draw from; draws: at least 2.
    """
    repeated = inputs.detach().repeat(draws, *(1,) * (inputs.dim() - 1)).requires_grad_(True)
    with torch.enable_grad():
        logits = answers(model, repeated, 1)[0]
        loss = functional.cross_entropy(logits, labels.repeat(draws), reduction="sum")
        (gradient,) = torch.autograd.grad(loss, repeated)
    return mean_cosines(gradient.view(draws, len(inputs), -1))


def perturbation_similarities(
    model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, attack: PGD, draws: int
) -> torch.Tensor:
    """The mean cosine between the perturbations that an attack finds with other draws, (images,).

    Args:
        attack: one draw a step, without a random start, so that only the draws differ.
    """
    found = [
        replace(attack, seed=attack.seed + number)(model, inputs, labels) - inputs
        for number in range(draws)
    ]
    return mean_cosines(torch.stack(found).flatten(2))


def mean_cosines(vectors: torch.Tensor) -> torch.Tensor:
    """(draws, images, n) → (images,) the mean cosine over pairs of different draws."""
    draws = len(vectors)
    units = functional.normalize(vectors.double(), dim=2)
    sums = torch.einsum("din,ein->i", units, units) - units.square().sum((0, 2))
    return sums / (draws * (draws - 1))
