"""The state of an interpretation, and how a function's arguments are read."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from stochi.export.neurons import SpikingLayer
from stochi.export.operations import digest
from stochi.export.problems import Problems
from stochi.export.recording import Event, Recording
from stochi.export.values import Constant, Layer, Unknown, Value


@dataclass(eq=False)
class Run:
    """An interpreted run.

    Attributes:
        recording: the recorded run.
        problems: what cannot be exported.
        values: what each tensor stands for, by its id.
        layers: layers of neurons, by name, in the order of their first calls.
        neurons: their dynamics; None if they cannot be exported.
        output: what the model returns.
        samplings: how each RandomTauLeaky draws in the model, by its name.
        broken: layers whose input is not known.
        broken: set[str] = field(default_factory=set)
    interrupted: neurons and states for which a change between time steps is noted.
        digests: digests of weights, by the tensor's id.
        parameters: names of the model's parameters, by the tensor's id.
    """

    recording: Recording
    problems: Problems
    values: dict[int, Value] = field(default_factory=dict)
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
        return self.values.get(id(tensor)) or Constant(tensor)

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
