"""A copy of a model with the attacker's own surrogate gradient."""

from collections.abc import Callable

import snntorch as snn
import torch
from torch import nn

from stochi.errors import InputError
from stochi.export.copying import copy_model

PROBE = (-1.0, -0.01, 0.01, 1.0)


def with_surrogate(
    model: nn.Module, surrogate: Callable[[torch.Tensor], torch.Tensor]
) -> nn.Module:
    """Return a copy of an snnTorch model whose neurons spike alike but have another gradient.

    A steep surrogate has almost no gradient away from the threshold, so an attacker who keeps the
    surrogate that the model was trained with may find no way. The surrogate is not part of the
    model's answer, so attackers choose their own: run attacks on several and keep the strongest.

    Args:
        model: any module with snnTorch neurons, including twins and ``FreshDraws``. It stays as it
            is, except that its membranes are reset.
        surrogate: from ``snntorch.surrogate``, with any slope: ``surrogate.fast_sigmoid(slope=5)``.

    Raises:
        InputError: the model has no spiking neuron, or the surrogate's forward pass is not a step.
    """
    probe = torch.tensor(PROBE)
    if not callable(surrogate):
        raise InputError(f"surrogate is {surrogate!r}; pass one from snntorch.surrogate")
    if not torch.equal(surrogate(probe).to(probe.dtype), (probe > 0).to(probe.dtype)):
        raise InputError(
            "the surrogate's forward pass is not 1 above the threshold and 0 below it, so it would"
            " change the model's answers; choose atan, fast_sigmoid, sigmoid or the like, with any"
            " slope"
        )
    copied = copy_model(model)
    neurons = [m for m in copied.modules() if isinstance(m, snn.SpikingNeuron)]
    if not neurons:
        raise InputError(
            f"the {type(model).__name__} has no spiking neuron of snnTorch, so it has no surrogate"
            " to replace"
        )
    for neuron in neurons:
        neuron.spike_grad = surrogate
    return copied
