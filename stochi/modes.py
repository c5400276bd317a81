"""The mode, training or evaluation, that a torch model is in, and the states of its neurons."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def in_eval_mode(*models: nn.Module) -> Iterator[None]:
    """Put models into eval mode while inside; then leave modes and states as they were."""
    modes = [(module, module.training) for model in models for module in model.modules()]
    for model in models:
        model.eval()
    try:
        with states_kept(*models):
            yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def states_kept(*models: nn.Module) -> Iterator[None]:
    """Put back the tensors that modules replace while they run, as neurons do with membranes.

    States that belong to a graph of gradients are not held, since that would hold the graph.
    """
    stores = [
        store
        for model in models
        for module in model.modules()
        for store in (vars(module), module._buffers)
    ]
    kept = [
        {
            name: value
            for name, value in store.items()
            if isinstance(value, torch.Tensor) and value.grad_fn is None
        }
        for store in stores
    ]
    try:
        yield
    finally:
        for store, values in zip(stores, kept, strict=True):
            store.update(values)
