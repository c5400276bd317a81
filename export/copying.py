"""Copies of models to work on, so that the user's own model does not change."""

import copy

import snntorch as snn
import torch
from torch import nn


def copy_model(model: nn.Module) -> nn.Module:
    """Return a deep copy with reset membranes; it shares generators, which torch cannot copy.

    The original's hidden membranes are reset too, because they may hold an autograd graph. The
    copy's neurons are added to snnTorch's list of instances, which ``snntorch.utils.reset`` uses.
    """
    shared = {}
    for module in model.modules():
        if isinstance(module, snn.Leaky):
            module.reset_mem()
        for value in vars(module).values():
            if isinstance(value, torch.Generator):
                shared[id(value)] = value
    copied = copy.deepcopy(model, shared)
    snn.SpikingNeuron.instances.extend(
        module for module in copied.modules() if isinstance(module, snn.SpikingNeuron)
    )
    return copied


def release_copy(copied: nn.Module) -> None:
    """Remove a copy's neurons from snnTorch's list of instances, so that they can be freed."""
    ours = {id(module) for module in copied.modules()}
    snn.SpikingNeuron.instances[:] = [n for n in snn.SpikingNeuron.instances if id(n) not in ours]
