"""Batch norms that take the statistics of a batch which several processes share."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.autograd import Function
from torch.distributed import ProcessGroup
from torch.nn.modules.batchnorm import SyncBatchNorm, _BatchNorm


@contextmanager
def synchronized_norms(model: nn.Module, group: ProcessGroup) -> Iterator[None]:
    """Let a model's batch norms use the whole batch's statistics in training mode.

    torch's own ``SyncBatchNorm`` does so on GPUs only; those in the model stay as they are.

    Args:
        model: the model; each process of the group runs it on its part of the batch.
        group: the processes.
    """
    norms = [
        module
        for module in model.modules()
        if isinstance(module, _BatchNorm) and not isinstance(module, SyncBatchNorm)
    ]
    for norm in norms:
        norm.forward = partial(_normalize, norm, group)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward


def _normalize(norm: _BatchNorm, group: ProcessGroup, inputs: torch.Tensor) -> torch.Tensor:
    """Compute what the batch norm does for the whole batch, on this process's part of it."""
    if not norm.training:
        return type(norm).forward(norm, inputs)
    norm._check_input_dim(inputs)
    rows = inputs.transpose(0, 1).flatten(1)
    counts = rows.new_full((1,), rows.shape[1])
    sums, counts = _sum_over(torch.cat([rows.sum(1), counts]), group).split([len(rows), 1])
    count = float(counts.detach())
    shape = (1, -1) + (1,) * (inputs.dim() - 2)
    mean = sums / count
    centred = inputs - mean.view(shape)
    squares = centred.square().transpose(0, 1).flatten(1).sum(1)
    variance = _sum_over(squares, group) / count
    _update(norm, mean.detach(), variance.detach(), count)
    scale = torch.rsqrt(variance + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight
    normed = centred * scale.view(shape)
    return normed if norm.bias is None else normed + norm.bias.view(shape)


class _Sum(Function):
    """The sum of a tensor over processes, whose gradient is the sum of theirs."""

    @staticmethod
    def forward(context: Any, values: torch.Tensor, group: ProcessGroup) -> torch.Tensor:
        """Return the sum."""
        context.group = group
        total = values.clone()
        dist.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> Any:
        """Return the gradient of the values, which itself has gradients."""
        return _sum_over(gradients[0], context.group), None


def _sum_over(values: torch.Tensor, group: ProcessGroup) -> torch.Tensor:
    found: torch.Tensor = _Sum.apply(values, group)
    return found


@torch.no_grad()
def _update(norm: _BatchNorm, mean: torch.Tensor, variance: torch.Tensor, count: float) -> None:
    """Move the running statistics, if there are any, as torch does: the variance without bias."""
    if norm.running_mean is None or norm.running_var is None:
        return
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    share = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean, share)
    norm.running_var.lerp_(variance * (count / max(count - 1, 1)), share)
