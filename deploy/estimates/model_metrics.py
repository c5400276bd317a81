"""NeuroBench's metrics of a torch model, exact whole numbers over any amount of data.

Definitions are those of NeuroBench 2.3 (``neurobench/metrics``). It adds operations up in float32,
which rounds a layer's sum from 2²⁴ on; here sums are exact.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from stochi.arguments import check_arguments, shown
from stochi.deploy.estimates.metrics import Metrics
from stochi.errors import InputError
from stochi.modes import in_eval_mode
from stochi.turns import generators_kept

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_CONNECTIONS = (nn.Linear, *_CONVOLUTIONS)
_ACTIVATIONS = (nn.ReLU, nn.Sigmoid)


@dataclass
class _Tally:
    """What a model did so far."""

    multiplied: int = 0
    added: int = 0
    dense: int = 0
    sent: int = 0
    values: int = 0

    def receive(self, module: nn.Module, given: tuple[Any, ...]) -> None:
        """Count the operations of a connection that receives something."""
        values = given[0].detach()
        nonzero = values != 0
        operations = _operations(module, nonzero.double(), _mask(module))
        ones = torch.ones_like(values, dtype=torch.float64)
        self.dense += _operations(module, ones, torch.ones_like(_mask(module)))
        if bool((nonzero & (values.abs() != 1)).any()):
            self.multiplied += operations
        else:
            self.added += operations

    def send(self, module: nn.Module, given: tuple[Any, ...], sent: Any) -> None:
        """Count the values that neurons send, which come first in what they return."""
        values = sent[0] if isinstance(sent, tuple) else sent
        self.sent += int(torch.count_nonzero(values))
        self.values += values.numel()


def measure_model(
    model: nn.Module, batches: Iterable[torch.Tensor], *, neurons: tuple[type, ...] = ()
) -> Metrics:
    """Return NeuroBench's metrics of a torch model on data.

    Linear layers and convolutions count, each time that they run. Their operations are accumulates
    if everything that they receive in a call is 0, 1 or −1, else multiply-accumulates.

    Args:
        model: the model; it runs in eval mode, without gradients.
        batches: inputs, as the model takes them, with the samples in front.
        neurons: classes of its spiking neurons, such as ``snntorch.SpikingNeuron``, whose outputs
            are activations beside those of ReLU and Sigmoid.

    Raises:
        InputError: there is no sample.
    """
    check_arguments(measure_model, locals())
    tally, samples = _Tally(), 0
    weights = [m.weight.detach() for m in model.modules() if isinstance(m, _CONNECTIONS)]
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    # Before the run: membranes are buffers, which then have the size of a batch.
    held = sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))
    with generators_kept(), torch.no_grad(), in_eval_mode(model), ExitStack() as stack:
        for module in model.modules():
            if isinstance(module, _CONNECTIONS):
                stack.callback(module.register_forward_pre_hook(tally.receive).remove)
            if isinstance(module, (*_ACTIVATIONS, *neurons)):
                stack.callback(module.register_forward_hook(tally.send).remove)
        for batch in batches:
            if not isinstance(batch, torch.Tensor) or not batch.dim():
                raise InputError(f"batches yields {shown(batch)}; each must be a tensor of samples")
            samples += len(batch)
            model(batch)
    if not samples:
        raise InputError("the data hold no sample; nothing can be counted")
    return Metrics(
        footprint=held,
        connection_sparsity=zeros / max(1, sum(weight.numel() for weight in weights)),
        activation_sparsity=1 - tally.sent / tally.values if tally.values else 0.0,
        effective_macs=tally.multiplied / samples,
        effective_acs=tally.added / samples,
        dense=tally.dense / samples,
    )


def _mask(module: Any) -> torch.Tensor:
    """Return 1 for each weight other than 0."""
    return (module.weight.detach() != 0).double()


def _operations(module: Any, values: torch.Tensor, weight: torch.Tensor) -> int:
    """Return the number of products of a connection, for values and weights of 0 and 1."""
    if isinstance(module, nn.Linear):
        return int(functional.linear(values, weight).sum())
    return int(module._conv_forward(values, weight, None).sum())
