"""Inputs of a Program: their checks, and their integers on the chip."""

import math
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import torch

from stochi.data.events.event_set import EventSet
from stochi.data.order import is_ambiguous, warn_of_order
from stochi.data.samples import Samples
from stochi.errors import InputError
from stochi.hardware.draws import Draws
from stochi.program.program import Program


@dataclass(frozen=True)
class InOrder:
    """Inputs whose time steps, if they have some, are known to be in front.

    With as many samples as time steps their shape does not tell, and ``run`` warns of a tensor;
    ``run(program, InOrder(inputs))`` says it.

    Attributes:
        values: (batch, *shape) or (time steps, batch, *shape).
    """

    values: torch.Tensor


Given = torch.Tensor | Samples | EventSet | InOrder
"""Inputs of a run, as a user gives them or as other code passes them on."""


@overload
def inputs_in_order(inputs: Given, shape: tuple[int, ...], time_steps: int) -> torch.Tensor: ...


@overload
def inputs_in_order(
    inputs: Given | None, shape: tuple[int, ...], time_steps: int
) -> torch.Tensor | None: ...


def inputs_in_order(
    inputs: Given | None, shape: tuple[int, ...], time_steps: int
) -> torch.Tensor | None:
    """Return inputs as a user gave them, (batch, *shape) or (time steps, batch, *shape).

    Args:
        inputs: samples, or inputs alone, which are not checked; None stays None.
        shape: of an input at one time step.
        time_steps: of a sample.

    Warns:
        AmbiguousOrder: a tensor has as many samples as time steps.
    """
    if isinstance(inputs, Samples):
        return inputs.inputs
    if isinstance(inputs, InOrder):
        return inputs.values
    if isinstance(inputs, EventSet):
        return inputs.load().inputs
    if isinstance(inputs, torch.Tensor):
        _check_even(inputs)
    given = tuple(getattr(inputs, "shape", ()))
    if is_ambiguous(given, len(shape), time_steps):
        way_out = "pass stochi.sim.InOrder(inputs), or stochi.data.Streams(inputs, labels)"
        warn_of_order("inputs", given, way_out, stacklevel=3)
    return inputs


def check_inputs(program: Program, inputs: torch.Tensor) -> torch.Tensor:
    """Check inputs, and bring them into the form (1 or time steps, batch, *shape), still real.

    Args:
        inputs: (batch, *shape) shown at every time step, or (time steps, batch, *shape); in
            [0, 1], or exactly 0 or 1 for a Program that takes events.

    Raises:
        InputError: the shape, the number of time steps or a value is wrong, or there is no sample.
    """
    inputs = _as_numbers(inputs)
    each_step = _check_shape(program, tuple(inputs.shape))
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


def _as_numbers(inputs: object) -> torch.Tensor:
    """Return inputs as a dense tensor of real numbers.

    Raises:
        InputError: they are something else.
    """
    try:
        found = _as_tensor(inputs).detach()
    except InputError:
        raise
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise InputError(
            f"inputs have the type {type(inputs).__name__}; pass a tensor (stochi.data.Images"
            " has one as .inputs)"
        ) from None
    _check_even(found)
    if found.layout != torch.strided:
        raise InputError(f"inputs are sparse, {found.layout}; pass inputs.to_dense()")
    if found.is_complex():
        raise InputError(f"inputs are {found.dtype}; pass real numbers in [0, 1]")
    if found.device.type == "meta":
        raise InputError("inputs are on the device meta, which holds no values; pass others")
    if found.is_quantized:
        return found.dequantize()
    return found.double() if found.dtype in _NOT_COMPUTED else found


_NOT_COMPUTED = (
    *(torch.uint16, torch.uint32, torch.uint64),
    *(torch.float8_e4m3fn, torch.float8_e4m3fnuz, torch.float8_e5m2, torch.float8_e5m2fnuz),
)
"""Types that torch stores and hardly computes with."""


def _check_even(inputs: torch.Tensor) -> None:
    """Raise InputError for a nested tensor, which has no shape."""
    if inputs.is_nested:
        raise InputError("inputs are a nested tensor; pass inputs.to_padded_tensor(0)")


def _as_tensor(inputs: Any) -> torch.Tensor:
    """Return tensors, arrays of any order, strides or masks that hide nothing, and lists of them.

    Raises:
        InputError: an array hides values behind its mask.
        TypeError, ValueError, RuntimeError, OverflowError: they are something else.
    """
    if isinstance(inputs, list | tuple) and inputs:
        if all(isinstance(one, torch.Tensor) for one in inputs):
            return torch.stack(list(inputs))
        inputs = np.asarray(inputs)
    if not isinstance(inputs, np.ndarray):
        return torch.as_tensor(inputs)
    if np.ma.is_masked(inputs):
        raise InputError("inputs hide values behind their mask; pass inputs.filled(0)")
    # torch takes neither another order of bytes nor negative strides.
    array = np.ascontiguousarray(inputs).astype(inputs.dtype.newbyteorder("="), copy=False)
    extended = array.dtype == np.longdouble and array.dtype != np.float64
    return torch.as_tensor(array.astype(np.float64) if extended else array)


def _check_shape(program: Program, given: tuple[int, ...]) -> bool:
    """Return whether inputs of a shape change from time step to time step.

    Raises:
        InputError: the Program does not take inputs of this shape.
    """
    shape, steps = program.input_shape, program.target.time_steps
    each_step = len(given) == len(shape) + 2
    if len(given) not in (len(shape) + 1, len(shape) + 2) or given[-len(shape) :] != shape:
        raise InputError(
            f"inputs have shape {given}; this Program takes (batch, {sizes(shape)}), or the same"
            " with time steps in front"
        )
    if not math.prod(given):
        raise InputError(f"inputs have shape {given}, which holds no sample")
    if each_step and given[0] != steps == given[1]:
        raise InputError(
            f"inputs have shape {given}, the batch before the time steps, of which this Program has"
            f" {steps}; a stream is (time steps, batch, {sizes(shape)}): pass"
            " inputs.transpose(0, 1), in a file np.swapaxes(inputs, 0, 1)"
        )
    if each_step and given[0] != steps:
        raise InputError(
            f"inputs have {given[0]} time steps, and this Program was lowered for {steps}; give"
            f" inputs of {steps} time steps, or lower it for {given[0]}"
        )
    return each_step


def sizes(shape: tuple[int, ...]) -> str:
    """Return the sizes of a shape as the end of a list."""
    return ", ".join(map(str, shape))


def to_frames(program: Program, inputs: torch.Tensor) -> torch.Tensor:
    """Convert checked inputs to int32 frames, ``round(values · levels)``."""
    if program.target.events:
        return inputs.int()
    return (inputs.double() * program.target.input_levels).round_().int()


def lava_frames(program: Program, inputs: torch.Tensor) -> np.ndarray:
    """Check inputs, and convert them to frames of numpy, for Lava's processes.

    Returns:
        (1 or time steps, batch, *shape) int32.
    """
    return to_frames(program, check_inputs(program, inputs)).numpy()


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
