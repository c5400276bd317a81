"""The state of an interpretation, and how a function's arguments are read."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from stochi.export.memory import is_same_view, overlaps, step_of, storage_of
from stochi.export.neurons import SpikingLayer
from stochi.export.operations import digest
from stochi.export.problems import Problems
from stochi.export.recording import Event, Recording
from stochi.export.values import Constant, Frame, Layer, Unknown, Value, to_frame, with_step

_PARTLY = Unknown(
    "forward writes to a tensor through another view of its memory (.data, .detach(), a slice), so"
    " that a part of it changes; write whole time steps, record[step] = spikes, or compute a new"
    " tensor"
)


@dataclass(frozen=True, eq=False)
class _Write:
    """A write to a part of a tensor, and what the tensor stood for then."""

    part: torch.Tensor
    target: torch.Tensor
    value: Value

    def after(self, before: Value, tensor: torch.Tensor) -> Value:
        """Return what a tensor stands for after the write, if they share memory."""
        if is_same_view(tensor, self.target):
            return self.value
        both = isinstance(before, Constant) and isinstance(self.value, Constant)
        if both or not overlaps(tensor, self.part):
            return before
        if isinstance(self.value, Unknown):
            return self.value
        place = step_of(tensor, self.part)
        value = to_frame(self.value)
        if place and is_same_view(self.part, self.target) and isinstance(value, Frame):
            return with_step(before, tensor, *place, value.signal) or _PARTLY
        return _PARTLY


@dataclass(eq=False)
class Run:
    """An interpreted run.

    Attributes:
        recording: the recorded run.
        problems: what cannot be exported.
        values: what each tensor stands for, by its id.
        tracked: the tensors with a value, by their storage and id.
        writes: what was written to each storage, in order.
        layers: layers of neurons, by name, in the order of their first calls.
        neurons: their dynamics; None if they cannot be exported.
        output: what the model returns.
        samplings: how each RandomTauLeaky draws in the model, by its name.
        broken: layers whose input is not known.
        interrupted: neurons and states for which a change between time steps is noted.
        digests: digests of weights, by the tensor's id.
        parameters: names of the model's parameters, by the tensor's id.
    """

    recording: Recording
    problems: Problems
    values: dict[int, Value] = field(default_factory=dict)
    tracked: dict[int, dict[int, torch.Tensor]] = field(default_factory=dict)
    writes: dict[int, list[_Write]] = field(default_factory=dict)
    layers: dict[str, Layer] = field(default_factory=dict)
    neurons: dict[str, SpikingLayer | None] = field(default_factory=dict)
    output: Value = field(default_factory=lambda: Unknown("the model returns nothing"))
    samplings: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    interrupted: set[tuple[str, str]] = field(default_factory=set)
    digests: dict[int, str] = field(default_factory=dict)
    parameters: dict[int, str] = field(default_factory=dict)

    def value(self, tensor: Any) -> Value:
        """Return what a tensor, or a number, stands for."""
        if not isinstance(tensor, torch.Tensor):
            tensor = torch.as_tensor(tensor)
        return self.values.get(id(tensor)) or self._written(tensor)

    def set_value(self, tensor: torch.Tensor, value: Value) -> None:
        """Let a tensor stand for a value."""
        self.tracked.setdefault(storage_of(tensor), {})[id(tensor)] = tensor
        self.values[id(tensor)] = value

    def write(self, part: torch.Tensor, target: torch.Tensor) -> None:
        """Let all tensors that share memory with a part of one that was written change with it.

        Args:
            part: a view of what was written.
            target: the tensor that was written to, whose value is known.
        """
        write = _Write(part, target, self.values[id(target)])
        for tensor in self.tracked.get(storage_of(part), {}).values():
            self.values[id(tensor)] = write.after(self.values[id(tensor)], tensor)
        if not isinstance(write.value, Constant):
            self.writes.setdefault(storage_of(part), []).append(write)

    def _written(self, tensor: torch.Tensor) -> Value:
        """Return what a tensor that no function returned stands for, by what was written to it."""
        value: Value = Constant(tensor)
        for write in self.writes.get(storage_of(tensor), []):
            value = write.after(value, tensor)
        return value

    def digest(self, tensor: torch.Tensor, array: np.ndarray) -> str:
        """Return a text that is equal for equal weights, computed once for each tensor."""
        known = self.digests.get(id(tensor))
        if known is None:
            known = self.digests[id(tensor)] = digest(array)
        return known

    def label(self, event: Event, weight: torch.Tensor) -> tuple[str, str]:
        """Return the name of the layer that owns weights, and the name of the parameter or ""."""
        parameter = self.parameters.get(id(weight), "")
        owner, _, last = parameter.rpartition(".")
        if event.layer and not any(True for _ in event.module.children()):
            return event.layer, parameter
        if parameter:
            return (owner if last == "weight" and owner else parameter), parameter
        return event.layer or "model", ""


def bound(event: Event, names: str, **defaults: Any) -> dict[str, Any]:
    """Return a function's arguments by name.

    Args:
        event: the call.
        names: names of the positional parameters, separated by spaces.
        defaults: values of those that may be missing.
    """
    given = dict(defaults)
    given.update(zip(names.split(), event.args, strict=False))
    given.update(event.kwargs)
    return given
