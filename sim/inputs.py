"""Checking what is shown to a Program, and putting it into the chip's integers."""

import torch

from stochi.deploy.program import Program
from stochi.errors import InputError


def check_inputs(program: Program, inputs: torch.Tensor) -> torch.Tensor:
    """Inputs as (1, batch, *shape) for images and (steps, batch, *shape) else, still real.

    Args:
        inputs: (batch, *shape) shown at every step, or (steps, batch, *shape); in [0, 1], or
            exactly 0 and 1 for a Program that takes events.

    Raises:
        InputError: the shape, the number of steps or a value is wrong, or there is no sample.
    """
    if not isinstance(inputs, torch.Tensor):
        try:
            inputs = torch.as_tensor(inputs)
        except (TypeError, ValueError, RuntimeError):
            raise InputError(
                f"inputs are of the type {type(inputs).__name__}; pass a tensor (of"
                " stochi.data.Images: .inputs)"
            ) from None
    shape = program.input_shape
    each_step = inputs.dim() == len(shape) + 2
    expected = f"(batch, {', '.join(map(str, shape))}), or the same with steps in front"
    if inputs.dim() not in (len(shape) + 1, len(shape) + 2) or inputs.shape[-len(shape) :] != shape:
        raise InputError(f"inputs have shape {tuple(inputs.shape)}; this Program takes {expected}")
    if not inputs.numel():
        raise InputError(f"inputs have shape {tuple(inputs.shape)}, which holds no sample")
    if each_step and inputs.shape[0] != program.steps:
        raise InputError(
            f"inputs have {inputs.shape[0]} steps, this Program was lowered for {program.steps};"
            f" lower it with steps={inputs.shape[0]}"
        )
    if inputs.dtype == torch.bool:
        inputs = inputs.to(torch.uint8)
    low, high = (float(end) for end in torch.aminmax(inputs))
    if not (low >= 0 and high <= 1):
        raise InputError(
            f"inputs range from {low:g} to {high:g}; they must be numbers in [0, 1] (scale them,"
            " and fold any normalization into the first layer)"
        )
    if program.input_levels == 1 and not torch.equal(inputs * inputs, inputs):
        raise InputError("this Program takes events, so inputs must be exactly 0 or 1")
    return inputs if each_step else inputs.unsqueeze(0)


def to_frames(program: Program, inputs: torch.Tensor) -> torch.Tensor:
    """Checked inputs → int32 frames: ``round(values · levels)``."""
    if program.input_levels == 1:
        return inputs.int()
    return inputs.double().mul_(program.input_levels).round_().int()
