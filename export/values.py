"""What a tensor of a recorded run stands for, in terms of signals."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from stochi.export.operations import Shape
from stochi.export.signals import Signal, add


@dataclass(frozen=True, eq=False)
class Frame:
    """A tensor (batch, *shape) of one time step."""

    signal: Signal


@dataclass(frozen=True, eq=False)
class Sequence:
    """A tensor with frames stacked along an axis: (steps, batch, *shape) for axis 0."""

    frames: tuple[Signal, ...]
    axis: int = 0


@dataclass(frozen=True, eq=False)
class Merged:
    """A tensor (steps · batch, *shape), the first step's frames first."""

    frames: tuple[Signal, ...]


@dataclass(frozen=True, eq=False)
class Reading:
    """The mean or sum of frames over time, (batch, *shape)."""

    kind: str
    frames: tuple[Signal, ...]


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor that does not depend on the input."""

    tensor: torch.Tensor


@dataclass(frozen=True, eq=False)
class Unknown:
    """A tensor that no graph can compute, with the reason, a whole sentence."""

    problem: str


Value = Frame | Sequence | Merged | Reading | Constant | Unknown


@dataclass(eq=False)
class Layer:
    """A layer of neurons in a run.

    Attributes:
        name: the module's name.
        module: the module; None for max pooling of spikes, which neurons compute.
        shape: shape without the batch.
        inputs: what feeds it at each call.
        values: max pooling: its recorded results at each call.
    """

    name: str
    module: torch.nn.Module | None
    shape: Shape
    inputs: list[Signal] = field(default_factory=list)
    values: list[torch.Tensor] = field(default_factory=list)


def to_frame(value: Value) -> Value:
    """Return a reading as the frame that it is; other values unchanged."""
    if not isinstance(value, Reading):
        return value
    total = add(list(value.frames), value.frames[0].label)
    return Frame(total.times(1 / len(value.frames)) if value.kind == "mean" else total)


def each(value: Value, function: Callable[[Signal], Signal]) -> Value:
    """Apply a function to all frames of a value."""
    value = to_frame(value)
    if isinstance(value, Frame):
        return Frame(function(value.signal))
    if isinstance(value, Sequence):
        return Sequence(tuple(map(function, value.frames)), value.axis)
    if isinstance(value, Merged):
        return Merged(tuple(map(function, value.frames)))
    return value


def with_step(
    base: Value, target: torch.Tensor, axis: int, step: int, frame: Signal
) -> Value | None:
    """Return what a tensor stands for after a frame was written to it, as in ``record[step] = x``.

    Args:
        base: what it stood for before.
        target: the tensor.
        axis, step: where the frame was written.
        frame: the frame.

    Returns:
        The frames along the axis; None if the tensor does not hold frames there.
    """
    if isinstance(base, Constant):
        if target.dim() != len(frame.shape) + 2:
            return None
        # The tensor holds what the run wrote by now; frames that nobody writes stay zero.
        base = Sequence((Signal(frame.shape),) * target.shape[axis], axis)
    if not isinstance(base, Sequence) or base.axis != axis:
        return None
    frames = list(base.frames)
    frames[step] = frame
    return Sequence(tuple(frames), axis)


def frame_constant(values: Any, shape: Shape) -> np.ndarray | None:
    """Return a constant as float64 that broadcasts to a frame; None if samples differ in it.

    Args:
        values: a number or tensor that broadcasts to (batch, *shape).
        shape: shape of a frame.
    """
    array = np.asarray(
        values.detach().cpu().double().numpy() if isinstance(values, torch.Tensor) else values,
        np.float64,
    )
    if array.ndim > len(shape):
        array = (
            array.reshape(array.shape[-len(shape) - 1 :])
            if array.ndim == len(shape) + 1
            else (array)
        )
        if array.ndim > len(shape) + 1 or np.any(array != array[:1]):
            return None
        array = array[0]
    try:
        if np.broadcast_shapes(array.shape, shape) != shape:
            return None
    except ValueError:
        return None
    return array
