"""What a hardware-aware torch model does, as a Record in the chip's integers."""

import torch
from torch import nn

from stochi.deploy.program import Layer, Program
from stochi.hardware.fixed_point import ALIGN_SHIFT
from stochi.hardware.quantization import to_integers
from stochi.sim.record import Record
from stochi.sim.watch import watch_model
from stochi.train.hardware_aware import set_draws


def record_hardware_model(
    model: nn.Module, program: Program, inputs: torch.Tensor, seed: int, trial: int
) -> Record:
    """Run the model in eval mode and watch its layers, each known by its name in the Program.

    Raises:
        InputError: the model has no module of a layer's name.
    """
    model.eval()
    set_draws(model, seed=seed, trial=trial)
    record = watch_model(model, program, lambda: model(inputs), _to_integers)
    record.membrane = {name: values.to(torch.int32) for name, values in record.membrane.items()}
    return record


def membrane_unit(layer: Layer) -> float:
    """The chip's integers for one unit of the model's membrane, 64·S."""
    return 2.0**ALIGN_SHIFT * layer.scale


def _to_integers(layer: Layer, membrane: torch.Tensor) -> torch.Tensor:
    return to_integers(membrane, membrane_unit(layer))
