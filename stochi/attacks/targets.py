"""Which wrong classes targeted attacks go to."""

from collections.abc import Sequence

import torch
from torch import nn

from stochi.attacks.expectation import answers


def nearest_classes(
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor, draws: int, count: int
) -> Sequence[torch.Tensor]:
    """The wrong classes with the highest logits, mean over the draws, the highest first.

    Args:
        model: images (batch, *shape) → (batch, classes) logits.
        labels: (batch,) the true classes.
        count: at most so many; a model has one wrong class less than classes.

    Returns:
        (batch,) classes each, every one another than its label.
    """
    with torch.no_grad():
        logits = answers(model, images, draws).mean(0)
    logits[torch.arange(len(labels), device=labels.device), labels] = -torch.inf
    nearest = logits.argsort(1, descending=True)[:, :-1]
    return nearest[:, :count].unbind(1)
