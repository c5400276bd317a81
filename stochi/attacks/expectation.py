"""Expectation over transformation (EOT; Athalye et al., ICML 2018).

Losses and gradients are averaged over the model's own randomness, with the runs side by side in one
batch.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from stochi.attacks.objectives import Objective, cross_entropy
from stochi.attacks.samplewise import choose
from stochi.errors import InputError
from stochi.turns import generators_kept

BY_STEP = (
    "; if these are answers at every time step, attack a model that returns their mean over time,"
    " or the graph's, stochi.export.from_nir(graph).answering()"
)
JUDGING_DRAWS = 50
"""Smallest number of draws over which attacked images are judged.

Judging needs no backward pass, and few passes at all, so it can afford more draws than a gradient.
"""


def judging_rounds(draws: int) -> int:
    """Return the rounds of ``draws`` over which attacked images are judged, at least 5."""
    return max(5, -(-JUDGING_DRAWS // draws))


class NoGradient(InputError):
    """A model's answer has no gradient with respect to its input."""


class Outcome(NamedTuple):
    """Share of right answers and mean loss of each image, (batch,) each."""

    right: torch.Tensor
    loss: torch.Tensor


class Slope(NamedTuple):
    """What one gradient tells of images.

    Attributes:
        values: (batch,) values of the objective.
        gradients: its gradients, of the images' shape.
        right: (batch,) shares of the runs in which the answer is right.
    """

    values: torch.Tensor
    gradients: torch.Tensor
    right: torch.Tensor


class Choice(NamedTuple):
    """The chosen candidate of each image.

    Attributes:
        images: the chosen images.
        numbers: (batch,) int64, the candidates' numbers.
    """

    images: torch.Tensor
    numbers: torch.Tensor


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
            " needs (batch, classes) logits" + (BY_STEP if logits.dim() == 3 else "")
        )
    return logits.view(draws, batch, -1)


def expected_gradient(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    draws: int,
    objective: Objective = cross_entropy,
    batch_dim: int = 0,
) -> torch.Tensor:
    """Return the objective's gradient with respect to the images, over ``draws`` runs.

    Raises:
        NoGradient: the model answers without a gradient.
    """
    return expected_slope(model, images, labels, draws, objective, batch_dim).gradients


def expected_slope(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    draws: int,
    objective: Objective,
    batch_dim: int = 0,
) -> Slope:
    """Return the objective's values and gradients, both over the same ``draws`` runs.

    Raises:
        NoGradient: the model answers without a gradient.
    """
    leaf = images.detach().requires_grad_(True)
    with torch.enable_grad():
        logits = answers(model, leaf, draws, batch_dim)
        values = objective(logits, labels)
        gradients = None
        if values.requires_grad:
            (gradients,) = torch.autograd.grad(values.sum(), leaf, allow_unused=True)
        if gradients is None:
            raise NoGradient(
                "the model's answer has no gradient with respect to its input; if it is a Program,"
                " attack its twin (stochi.train.twin_of), or use Square, HopSkipJump or"
                " GreedySpikes, which need answers only"
            )
    right = (logits.detach().argmax(2) == labels).double().mean(0)
    # A gradient that is not a number shows no way; the search for masking counts such images.
    return Slope(values.detach(), torch.nan_to_num(gradients, 0.0, 0.0, 0.0), right)


def is_random(model: nn.Module, images: torch.Tensor, draws: int, batch_dim: int = 0) -> bool:
    """Return whether the model answers the same images differently when it is asked again.

    torch's generators are left as they were.

    Args:
        draws: runs side by side, so that a model with few outcomes hardly gives all of them twice.
    """
    with torch.no_grad(), generators_kept():
        first, second = (answers(model, images, draws, batch_dim) for _ in range(2))
    return not torch.equal(first, second)


def judging_runs(
    model: nn.Module, images: torch.Tensor, draws: int, batch_dim: int = 0
) -> tuple[int, int]:
    """Return the draws at once, and the rounds of them, over which images are judged."""
    random = is_random(model, images, draws, batch_dim)
    return (draws, judging_rounds(draws)) if random else (1, 1)


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


def is_worse(first: Outcome, second: Outcome) -> torch.Tensor:
    """Return whether each image of the first is right less often, or as often at a higher loss."""
    fewer, equal = first.right < second.right, first.right == second.right
    return fewer | (equal & (first.loss > second.loss))


def where_outcome(where: torch.Tensor, first: Outcome, second: Outcome) -> Outcome:
    """Return the first outcome's images where ``where`` is true, else the second's."""
    return Outcome(*(torch.where(where, new, old) for new, old in zip(first, second, strict=True)))


def judge(
    model: nn.Module,
    candidates: Sequence[torch.Tensor],
    labels: torch.Tensor,
    draws: int,
    rounds: int,
    batch_dim: int = 0,
) -> Choice:
    """Choose, for each image, the candidate that the model gets right least often.

    Among equals, the one with the higher loss wins. The candidates are judged over fresh draws,
    because the draws that a candidate was optimized on overrate it.

    Args:
        model: images → (batch, classes) logits.
        candidates: attacked inputs, tensors of one shape.
        labels: (batch,) the true classes.
        draws: number of runs side by side.
        rounds: number of times that these are repeated; 1, with one draw, for a model that is not
            random.
        batch_dim: dimension of the inputs that counts the samples.
    """
    best, numbers = candidates[0], torch.zeros_like(labels)
    kept = expected_outcome(model, best, labels, draws, rounds, batch_dim)
    for number, candidate in enumerate(candidates[1:], 1):
        found = expected_outcome(model, candidate, labels, draws, rounds, batch_dim)
        better = is_worse(found, kept)
        best = choose(better, candidate, best, batch_dim)
        numbers = torch.where(better, number, numbers)
        kept = where_outcome(better, found, kept)
    return Choice(best, numbers)
