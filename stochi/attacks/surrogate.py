"""The attacker's own surrogate gradient."""

from collections.abc import Callable

import torch
from torch import nn

from stochi.errors import InputError

PROBE = (-1.0, -0.01, 0.01, 1.0)


def with_surrogate(
    model: nn.Module, surrogate: Callable[[torch.Tensor], torch.Tensor]
) -> nn.Module:
    """A copy of an snnTorch model whose spiking neurons have another gradient, and the same spikes.

    A steep surrogate has almost no gradient away from the threshold, and so hides the way from an
    attacker who takes over the one that the model was trained with. The surrogate is not part of
    the model's answer, so attackers choose their own: run attacks on several and keep the worst.

    Args:
        model: any module with neurons of snnTorch, hardware-aware twins and ``FreshDraws`` too;
            it stays as it is, but for its membranes, which are reset.
        surrogate: of ``snntorch.surrogate``, with any slope: ``surrogate.fast_sigmoid(slope=5)``.

    Raises:
        InputError: the model has no spiking neuron, or the surrogate's forward pass is no step.
    """
    import snntorch as snn

    from stochi.export.copy_model import copy_model

    probe = torch.tensor(PROBE)
    if not callable(surrogate):
        raise InputError(f"a surrogate of snntorch.surrogate is needed, this is {surrogate!r}")
    if not torch.equal(surrogate(probe).to(probe.dtype), (probe > 0).to(probe.dtype)):
        raise InputError(
            "the surrogate's forward pass is not 1 above the threshold and 0 below, so the model"
            " would be another one; choose atan, fast_sigmoid, sigmoid or the like, with any slope"
        )
    copied = copy_model(model)
    neurons = [m for m in copied.modules() if isinstance(m, snn.SpikingNeuron)]
    if not neurons:
        raise InputError(
            f"the {type(model).__name__} has no spiking neuron of snnTorch, and so no surrogate"
        )
    for neuron in neurons:
        neuron.spike_grad = surrogate
    return copied
