"""Expectation over transformation (EOT; Athalye et al., ICML 2018).

Losses and gradients are averaged over the model's own randomness, with the runs side by side in one
batch.
"""

from typing import NamedTuple

import torch
from torch import nn

from stochi.attacks.objectives import Objective, cross_entropy
from stochi.errors import InputError

JUDGING_ROUNDS = 5
"""Rounds of draws over which attacked images are judged, where a gradient takes one.

Judging needs no backward pass, so it can afford more draws.
"""


class Outcome(NamedTuple):
    """Share of right answers and mean cross-entropy of each image, (batch,) each."""

    right: torch.Tensor
    loss: torch.Tensor


class Slope(NamedTuple):
    """Values (batch,) of an objective at images, and its gradients, of the images' shape."""

    values: torch.Tensor
    gradients: torch.Tensor


def answers(model: nn.Module, images: torch.Tensor, draws: int, batch_dim: int = 0) -> torch.Tensor:
    """Return (draws, batch, classes) logits of ``draws`` runs on the same images, in one batch."""
    repeats = [1] * images.dim()
    repeats[batch_dim] = draws
    logits = model(images.repeat(repeats))
    logits = logits[0] if isinstance(logits, tuple) else logits
    batch = images.shape[batch_dim]
    if logits.dim() != 2 or len(logits) != draws * batch:
        raise InputError(
            f"the model answers {draws * batch} inputs with shape {tuple(logits.shape)}; an attack"
            " needs (batch, classes) logits"
        )
    return logits.view(draws, batch, -1)


def expected_gradient(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    draws: int,
    objective: Objective = cross_entropy,
) -> torch.Tensor:
    """Return the objective's gradient with respect to the images, over ``draws`` runs.

    Raises:
        InputError: the model answers without a gradient.
    """
    return expected_slope(model, images, labels, draws, objective).gradients


def expected_slope(
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor, draws: int, objective: Objective
) -> Slope:
    """Return the objective's values and gradients, both over the same ``draws`` runs.

    Raises:
        InputError: the model answers without a gradient.
    """
    leaf = images.detach().requires_grad_(True)
    with torch.enable_grad():
        values = objective(answers(model, leaf, draws), labels)
        if not values.requires_grad:
            raise InputError(
                "the model's answer has no gradient with respect to its input; if it is a Program,"
                " attack its twin (stochi.train.twin_of), or use Square, HopSkipJump or"
                " GreedySpikes, which need answers only"
            )
        (gradients,) = torch.autograd.grad(values.sum(), leaf)
    return Slope(values.detach(), gradients)


def expected_outcome(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    draws: int,
    rounds: int = 1,
    batch_dim: int = 0,
) -> Outcome:
    """Evaluate the model over ``rounds`` times ``draws`` fresh runs, ``draws`` at once."""
    right, loss = [], []
    with torch.no_grad():
        for _ in range(rounds):
            logits = answers(model, images, draws, batch_dim)
            right.append((logits.argmax(2) == labels).double().mean(0))
            loss.append(cross_entropy(logits, labels).double())
    return Outcome(torch.stack(right).mean(0), torch.stack(loss).mean(0))


def judge(
    model: nn.Module,
    candidates: list[torch.Tensor],
    labels: torch.Tensor,
    draws: int,
    batch_dim: int = 0,
) -> torch.Tensor:
    """Return, for each image, the candidate that the model gets right least often.

    Among equals, the one with the higher loss wins. The candidates are judged over fresh draws,
    because the draws that a candidate was optimized on overrate it.

    Args:
        model: images → (batch, classes) logits.
        candidates: attacked inputs, tensors of one shape.
        labels: (batch,) the true classes.
        draws: EOT samples of one gradient, 1 for a model that is not random.
        batch_dim: dimension of the inputs that counts the samples.
    """
    if len(candidates) == 1:
        return candidates[0]
    rounds = JUDGING_ROUNDS if draws > 1 else 1
    best, kept = candidates[0].clone(), None
    for candidate in candidates:
        found = expected_outcome(model, candidate, labels, draws, rounds, batch_dim)
        if kept is None:
            kept = found
            continue
        fewer = found.right < kept.right
        better = fewer | ((found.right == kept.right) & (found.loss > kept.loss))
        best = torch.where(_along(better, best, batch_dim), candidate, best)
        kept = Outcome(
            *(torch.where(better, new, old) for new, old in zip(found, kept, strict=True))
        )
    return best


def _along(values: torch.Tensor, like: torch.Tensor, dim: int) -> torch.Tensor:
    """Reshape (batch,) values to broadcast along the batch dimension of ``like``."""
    shape = [1] * like.dim()
    shape[dim] = -1
    return values.view(shape)
