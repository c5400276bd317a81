"""Expectation over transformation (EOT; Athalye et al., ICML 2018): the model's own randomness is
averaged out, its runs lying side by side in one batch."""

from typing import NamedTuple

import torch
from torch import nn

from stochi.attacks.objectives import Objective, cross_entropy
from stochi.errors import InputError

JUDGING_ROUNDS = 5
"""Found images are judged over so many times the draws of a gradient: it needs no backward pass."""


class Outcome(NamedTuple):
    """(batch,) each: the share of right answers, and the mean cross-entropy."""

    right: torch.Tensor
    loss: torch.Tensor


class Slope(NamedTuple):
    """An objective's (batch,) values at images, and its gradients, of the images' shape."""

    values: torch.Tensor
    gradients: torch.Tensor


def answers(model: nn.Module, images: torch.Tensor, draws: int, batch_dim: int = 0) -> torch.Tensor:
    """(draws, batch, classes) logits of so many runs on the same images, in one batch."""
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
    """The objective's gradient by the images, over ``draws`` runs of the model.

    Raises:
        InputError: the model answers without a gradient.
    """
    return expected_slope(model, images, labels, draws, objective).gradients


def expected_slope(
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor, draws: int, objective: Objective
) -> Slope:
    """The objective's values and gradient, both over the same ``draws`` runs of the model.

    Raises:
        InputError: the model answers without a gradient.
    """
    leaf = images.detach().requires_grad_(True)
    with torch.enable_grad():
        values = objective(answers(model, leaf, draws), labels)
        if not values.requires_grad:
            raise InputError(
                "the model's answer has no gradient by its input; a Program answers questions"
                " only: attack its hardware-aware twin (stochi.train.hardware_aware.twin_of), or"
                " use Square, HopSkipJump or GreedySpikes"
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
    """How the model does over ``rounds`` times ``draws`` fresh runs, ``draws`` at once."""
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
    """Of each image, the candidate that the model gets right least often; of equals, the one with
    the higher loss.

    Each is judged over fresh draws: those that it was found with flatter it.

    Args:
        candidates: tensors of one shape. draws: of one gradient; 1 for a model that is not random.
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
    """(batch,) values, shaped to meet the batch dimension of ``like``."""
    shape = [1] * like.dim()
    shape[dim] = -1
    return values.view(shape)
