"""A copy of a model to work on, so that the user's own stays as it is."""

import copy

import snntorch as snn
import torch
from torch import nn


def copy_model(model: nn.Module) -> nn.Module:
    """A deep copy with membranes reset; random generators are shared, since torch can't copy them.

    The original's hidden membranes are reset too: they may hold an autograd graph. The copy's
    neurons are entered in snnTorch's list of instances, which ``snntorch.utils.reset`` goes by.
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
    """Take a copy's neurons out of snnTorch's list of instances, so that they can be freed."""
    ours = {id(module) for module in copied.modules()}
    snn.SpikingNeuron.instances[:] = [n for n in snn.SpikingNeuron.instances if id(n) not in ours]
