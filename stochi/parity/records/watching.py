"""Watch a torch model's layers while it runs, each known by its name in the Program."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from stochi.errors import InputError
from stochi.program.layers import Layer
from stochi.program.program import Program
from stochi.sim.record import Record

ToUnits = Callable[[Layer, torch.Tensor], torch.Tensor]


def watch_model(
    model: nn.Module,
    program: Program,
    forward: Callable[[], torch.Tensor],
    to_units: ToUnits,
) -> Record:
    """Record what the Program's layers do while ``forward`` runs a model, without gradients.

    Args:
        model: its neurons keep their membrane after the reset in ``mem``; a readout's output is the
            input of its integrators at each time step.
        forward: runs the model once; returns (batch, classes) logits.
        to_units: converts a layer's membrane (batch, *shape), or a readout's input, to the record's
            units.

    Raises:
        InputError: the model has no module of a layer's name.
    """
    steps: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {
        layer.name: [] for layer in program.layers
    }
    modules = {layer.name: _find(model, layer.name) for layer in program.layers}
    hooks = [
        modules[layer.name].register_forward_hook(_note(layer, steps[layer.name], to_units))
        for layer in program.layers
    ]
    try:
        with torch.no_grad():
            logits = forward()
    finally:
        for hook in hooks:
            hook.remove()
    record = Record(logits.double().cpu())
    for layer in program.layers:
        membrane = torch.stack([state for _, state in steps[layer.name]])
        if layer.spikes:
            record.spikes[layer.name] = torch.stack([s for s, _ in steps[layer.name]]).cpu()
        else:
            membrane = membrane.cumsum(0)
        record.membrane[layer.name] = membrane.cpu()
    return record


def _find(model: nn.Module, name: str) -> nn.Module:
    try:
        return model.get_submodule(name)
    except AttributeError:
        raise InputError(
            f"the Program's layer {name!r} is not in the model; was it lowered from it?"
        ) from None


def _note(
    layer: Layer, seen: list[tuple[torch.Tensor, torch.Tensor]], to_units: ToUnits
) -> Callable[..., None]:
    def note(module: nn.Module, _: Any, output: Any) -> None:
        values = output[0] if isinstance(output, tuple) else output
        state = module.mem if layer.spikes else values
        assert isinstance(state, torch.Tensor)
        seen.append((values > 0, to_units(layer, state)))

    return note
