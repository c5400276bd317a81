"""What a hardware-aware torch model does, as a Record in the chip's integers."""

from typing import Any

import torch
from torch import nn

from stochi.deploy.program import Layer, Program
from stochi.errors import InputError
from stochi.hardware.fixed_point import ALIGN_SHIFT
from stochi.hardware.quantization import to_integers
from stochi.sim.record import Record
from stochi.train.hardware_aware import set_draws


def record_hardware_model(
    model: nn.Module, program: Program, inputs: torch.Tensor, seed: int, trial: int
) -> Record:
    """Run the model in eval mode and watch its layers, each known by its name in the Program.

    Raises:
        InputError: the model has no module of a layer's name.
    """
    steps: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {
        layer.name: [] for layer in program.layers
    }
    hooks = [_watch(model, layer, steps[layer.name]) for layer in program.layers]
    set_draws(model, seed=seed, trial=trial)
    try:
        with torch.no_grad():
            logits = model.eval()(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    record = Record(logits.double().cpu())
    for layer in program.layers:
        seen = steps[layer.name]
        membrane = torch.stack([state for _, state in seen])
        if not layer.spikes:
            membrane = membrane.cumsum(0)
        else:
            record.spikes[layer.name] = torch.stack([spikes for spikes, _ in seen]).cpu()
        record.membrane[layer.name] = membrane.to("cpu", torch.int32)
    return record


def _watch(
    model: nn.Module, layer: Layer, seen: list[tuple[torch.Tensor, torch.Tensor]]
) -> torch.utils.hooks.RemovableHandle:
    unit = 2.0**ALIGN_SHIFT * layer.scale

    def neurons(module: nn.Module, _: Any, output: Any) -> None:
        spikes = output[0] if isinstance(output, tuple) else output
        assert isinstance(module.mem, torch.Tensor)
        seen.append((spikes > 0, to_integers(module.mem, unit)))

    def readout(module: nn.Module, _: Any, output: torch.Tensor) -> None:
        seen.append((output > 0, to_integers(output, unit)))

    try:
        module = model.get_submodule(layer.name)
    except AttributeError:
        raise InputError(
            f"the Program's layer {layer.name!r} is not in the model; was it lowered from it?"
        ) from None
    return module.register_forward_hook(neurons if layer.spikes else readout)
