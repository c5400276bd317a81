"""Folding of batch norms into the layers before them, because a chip has none."""

import torch
from torch import nn

from stochi.errors import ExportError
from stochi.export.tracing import Trace

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d


def fold_batch_norms(model: nn.Module, traced: Trace) -> nn.Module:
    """Fold every batch norm of a model into its Linear or Conv2d, in place; returns the model.

    ``w' = w·γ/√(σ² + ε)`` and ``b' = (b − μ)·γ/√(σ² + ε) + β`` with the running statistics, in
    float64. The batch norm becomes an ``nn.Identity``.

    Args:
        model: the model, changed in place.
        traced: trace of this model.

    Raises:
        ExportError: a batch norm has no running statistics, or does not follow a weight layer.
    """
    for node in traced.nodes.values():
        norm = node.module
        if not isinstance(norm, BatchNorm):
            continue
        source = traced.nodes.get(node.source)
        layer = source.module if source else None
        feeds = [n.name for n in traced.nodes.values() if n.source == node.source]
        if not isinstance(layer, nn.Linear | nn.Conv2d) or len(feeds) > 1:
            raise ExportError(
                f"batch norm {node.name!r} follows {node.source!r}; only one right after a Linear"
                " or Conv2d can be folded into its weights"
            )
        if norm.running_var is None or norm.running_mean is None:
            raise ExportError(f"batch norm {node.name!r} has no running statistics to fold")
        _fold(layer, norm)
        _replace(model, node.name, nn.Identity())
    return model


@torch.no_grad()
def _fold(layer: nn.Linear | nn.Conv2d, norm: BatchNorm) -> None:
    assert norm.running_var is not None and norm.running_mean is not None
    factor = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        factor = factor * norm.weight.double()
    bias = (
        -norm.running_mean.double()
        if layer.bias is None
        else (layer.bias.double() - norm.running_mean.double())
    )
    bias = bias * factor
    if norm.bias is not None:
        bias = bias + norm.bias.double()
    dtype = layer.weight.dtype
    rows = (-1,) + (1,) * (layer.weight.dim() - 1)
    layer.weight.copy_((layer.weight.double() * factor.view(rows)).to(dtype))
    layer.bias = nn.Parameter(bias.to(dtype))


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)
