"""A copy of a model with the attacker's own surrogate gradient."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from stochi.arguments import check_arguments
from stochi.attacks.surrogates.choice import check_is_step
from stochi.attacks.surrogates.replacement import describe_missing_neurons, spiking_neurons
from stochi.errors import InputError
from stochi.export.copying import copy_model


def with_surrogate(
    model: nn.Module, surrogate: Callable[[torch.Tensor], torch.Tensor]
) -> nn.Module:
    """Return a copy of an snnTorch model whose neurons spike alike but have another gradient.

    The surrogate is not part of the model's answer, so attackers choose their own. Attacks take
    ``surrogates=`` themselves; the copy is for code that is not theirs.

    Args:
        model: any module with snnTorch neurons, including twins and ``FreshDraws``. It stays as it
            is, except that its membranes are reset.
        surrogate: from ``snntorch.surrogate``, with any slope: ``surrogate.fast_sigmoid(slope=5)``.

    Raises:
        InputError: the model has no spiking neuron, or the surrogate's forward pass is not a step.
    """
    check_arguments(with_surrogate, locals())
    if not callable(surrogate):
        raise InputError(f"surrogate is {surrogate!r}; pass one from snntorch.surrogate")
    check_is_step(surrogate)
    copied = copy_model(model)
    neurons: list[Any] = spiking_neurons(copied)
    if not neurons:
        raise InputError(describe_missing_neurons(model))
    for neuron in neurons:
        neuron.spike_grad = surrogate
    return copied
