"""Choices between tensors, sample by sample."""

import torch


def choose(
    where: torch.Tensor, first: torch.Tensor, second: torch.Tensor, dim: int = 0
) -> torch.Tensor:
    """Return the first tensor's samples where ``where`` (batch,) is true, else the second's."""
    return torch.where(along_batch(where, first, dim), first, second)


def along_batch(values: torch.Tensor, like: torch.Tensor, dim: int = 0) -> torch.Tensor:
    """Reshape (batch,) values to broadcast along the batch dimension ``dim`` of ``like``."""
    shape = [1] * like.dim()
    shape[dim] = -1
    return values.view(shape)
