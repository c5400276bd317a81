"""The choice of wrong classes for targeted attacks."""

from collections.abc import Sequence

import torch
from torch import nn

from stochi.attacks.expectation import answers


def nearest_classes(
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor, draws: int, count: int
) -> Sequence[torch.Tensor]:
    """Return the wrong classes with the highest mean logits over the draws, highest first.

    Args:
        model: images (batch, *shape) → (batch, classes) logits.
        images: (batch, *shape) in [0, 1].
        labels: (batch,) the true classes.
        draws: runs that the logits are averaged over.
        count: largest number of classes; a model has one wrong class less than classes.

    Returns:
        Tensors of (batch,) classes, each class different from its label.
    """
    with torch.no_grad():
        logits = answers(model, images, draws).mean(0)
    return nearest_classes_of(logits, labels, count)


def nearest_classes_of(
    logits: torch.Tensor, labels: torch.Tensor, count: int
) -> Sequence[torch.Tensor]:
    """Return the wrong classes of the highest (batch, classes) logits, highest first.

    Args, returns: as for :func:`nearest_classes`.
    """
    logits = logits.clone()
    logits[torch.arange(len(labels), device=labels.device), labels] = -torch.inf
    nearest = logits.argsort(1, descending=True)[:, :-1]
    return nearest[:, :count].unbind(1)
