"""How much the directions that an attacker follows depend on the draws."""

from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional

from stochi.attacks.expectation import answers
from stochi.attacks.pgd import PGD
from stochi.data.images import Images


def gradient_similarities(
    model: nn.Module, images: Images, draws: int, batch_size: int | None = None
) -> torch.Tensor:
    """Return the mean cosine between the cross-entropy's gradients of two draws, (images,).

    The RandHet paper (Wang et al., iScience 2025) compares such gradients. If a gradient is 0, as
    it can be if the model is sure of its answer, its cosines count as 0.

    Args:
        model: images → (batch, classes) logits, which draws from torch's global generator.
        images: images with their true classes.
        draws: number of draws, at least 2.
        batch_size: largest number of images at a time, each in all draws; None: all.
    """
    found = []
    for batch in images.batches(len(images) if batch_size is None else batch_size):
        inputs, labels = batch.inputs, batch.labels
        repeated = inputs.detach().repeat(draws, *(1,) * (inputs.dim() - 1)).requires_grad_(True)
        with torch.enable_grad():
            logits = answers(model, repeated, 1)[0]
            loss = functional.cross_entropy(logits, labels.repeat(draws), reduction="sum")
            (gradient,) = torch.autograd.grad(loss, repeated)
        found.append(mean_cosines(gradient.view(draws, len(inputs), -1)))
    return torch.cat(found)


def perturbation_similarities(
    model: nn.Module, images: Images, attack: PGD, draws: int
) -> torch.Tensor:
    """Return the mean cosine between the perturbations that an attack finds, (images,).

    Args:
        model, images: as for :func:`gradient_similarities`.
        attack: the attack, which runs with ``draws`` seeds, its own and the next ones. It has one
            draw an iteration and no random start, so that only the model's draws differ.
        draws: number of perturbations that are compared, at least 2.
    """
    found = [
        replace(attack, seed=attack.seed + number)(model, images.inputs, images.labels)
        - images.inputs
        for number in range(draws)
    ]
    return mean_cosines(torch.stack(found).flatten(2))


def mean_cosines(vectors: torch.Tensor) -> torch.Tensor:
    """Return the mean cosine over all pairs of different draws, (draws, images, n) → (images,)."""
    draws = len(vectors)
    units = functional.normalize(vectors.double(), dim=2)
    sums = torch.einsum("din,ein->i", units, units) - units.square().sum((0, 2))
    return sums / (draws * (draws - 1))
