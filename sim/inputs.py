"""Inputs of a Program: their checks, and their integers on the chip."""

import torch

from stochi.errors import InputError
from stochi.hardware.draws import Draws
from stochi.program.program import Program


def check_inputs(program: Program, inputs: torch.Tensor) -> torch.Tensor:
    """Check inputs, and bring them into the form (1 or time steps, batch, *shape), still real.

    Args:
        inputs: (batch, *shape) shown at every time step, or (time steps, batch, *shape); in
            [0, 1], or exactly 0 or 1 for a Program that takes events.

    Raises:
        InputError: the shape, the number of time steps or a value is wrong, or there is no sample.
    """
    if not isinstance(inputs, torch.Tensor):
        try:
            inputs = torch.as_tensor(inputs)
        except (TypeError, ValueError, RuntimeError):
            raise InputError(
                f"inputs have the type {type(inputs).__name__}; pass a tensor (stochi.data.Images"
                " has one as .inputs)"
            ) from None
    shape = program.input_shape
    each_step = inputs.dim() == len(shape) + 2
    expected = f"(batch, {', '.join(map(str, shape))}), or the same with time steps in front"
    if inputs.dim() not in (len(shape) + 1, len(shape) + 2) or inputs.shape[-len(shape) :] != shape:
        raise InputError(f"inputs have shape {tuple(inputs.shape)}; this Program takes {expected}")
    if not inputs.numel():
        raise InputError(f"inputs have shape {tuple(inputs.shape)}, which holds no sample")
    if each_step and inputs.shape[0] != program.target.time_steps:
        raise InputError(
            f"inputs have {inputs.shape[0]} time steps, but this Program was lowered for"
            f" {program.target.time_steps}; lower it with time_steps={inputs.shape[0]}"
        )
    if inputs.dtype == torch.bool:
        inputs = inputs.to(torch.uint8)
    low, high = (float(end) for end in torch.aminmax(inputs))
    if not (low >= 0 and high <= 1):
        raise InputError(
            f"inputs range from {low:g} to {high:g}; they must be numbers in [0, 1] (scale them,"
            " and fold any normalization into the first layer)"
        )
    if program.target.events and not torch.equal(inputs * inputs, inputs):
        raise InputError("this Program takes events, so inputs must be exactly 0 or 1")
    return inputs if each_step else inputs.unsqueeze(0)


def to_frames(program: Program, inputs: torch.Tensor) -> torch.Tensor:
    """Convert checked inputs to int32 frames, ``round(values · levels)``."""
    if program.target.events:
        return inputs.int()
    return (inputs.double() * program.target.input_levels).round_().int()


def check_draws(program: Program, draws: Draws, batch: int) -> None:
    """Raise InputError unless a Program can run a batch with these draws.

    Args:
        batch: number of samples.
    """
    if draws.first_sample < 0 or draws.first_sample + batch > 2**32:
        raise InputError(
            f"first_sample is {draws.first_sample}; sample numbers run from 0 to 2^32 - 1"
        )
    source = program.target.random_source
    if draws.source != source:
        raise InputError(
            f"the draws come from {draws.source!r}, but this Program draws from {source!r}; pass"
            f" Draws(..., source={source!r})"
        )
