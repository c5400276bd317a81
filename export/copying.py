"""Copies of models to work on, so that the user's own model does not change."""

import copy
from typing import Any

import snntorch as snn
import torch
from torch import nn


def copy_model(model: nn.Module) -> nn.Module:
    """Return a deep copy with reset states; it shares generators, which torch cannot copy.

    The original's hidden states are reset too, because they may hold an autograd graph. The
    copy's neurons are added to snnTorch's list of instances, which ``snntorch.utils.reset`` uses.
    """
    shared: dict[int, Any] = {}
    for module in model.modules():
        reset_states(module)
        for value in (*vars(module).values(), *module.buffers(recurse=False)):
            if isinstance(value, torch.Generator):
                shared[id(value)] = value
            elif isinstance(value, torch.Tensor) and not value.is_leaf:
                # torch refuses to copy a tensor that an autograd graph has computed.
                shared[id(value)] = value.detach().clone()
    copied = copy.deepcopy(model, shared)
    snn.SpikingNeuron.instances.extend(
        module for module in copied.modules() if isinstance(module, snn.SpikingNeuron)
    )
    return copied


def reset_states(module: nn.Module) -> None:
    """Reset the hidden states of a module, if it is a spiking neuron that keeps any."""
    if isinstance(module, snn.SpikingNeuron) and hasattr(module, "reset_mem"):
        module.reset_mem()


def release_copy(copied: nn.Module) -> None:
    """Remove a copy's neurons from snnTorch's list of instances, so that they can be freed."""
    ours = {id(module) for module in copied.modules()}
    snn.SpikingNeuron.instances[:] = [n for n in snn.SpikingNeuron.instances if id(n) not in ours]
