"""A network's time step as a function of ONNX, which a graph calls by name."""

from dataclasses import dataclass

import numpy as np
import torch
from onnx import FunctionProto, helper

from stochi.export.onnx.body import DOMAIN, Body
from stochi.export.onnx.stepped import (
    FRAME,
    SAMPLES,
    SEED,
    STEP,
    TRIAL,
    Advanced,
    Given,
    Kind,
    SteppedNetwork,
)
from stochi.export.onnx.symbol import Symbol

OPSET = 18
"""The first opset with bitwise operators, of December 2022."""
NAME = "time_step"


@dataclass(frozen=True)
class StepFunction:
    """A step as a function.

    Attributes:
        proto: the function.
        inputs: names of what it takes: of what the step is given, then of its arrays.
        arrays: the arrays.
        read: what it reads, a value of the function.
        probes: what it gives of layers, values of the function.
        states: names of the states, its first outputs.
    """

    proto: FunctionProto
    inputs: list[str]
    arrays: dict[str, np.ndarray]
    read: Symbol
    probes: Given
    states: list[str]

    def call(self, body: Body, given: Given) -> Advanced:
        """Write a call; return what the step gives."""
        inputs = [given[name].name if name in given else name for name in self.inputs]
        made = body.emit(NAME, inputs, len(self.proto.output), DOMAIN)
        states = {
            name: Symbol(body, new, given[name].dtype, given[name].shape)
            for name, new in zip(self.states, made, strict=False)
        }
        read, *probes = (
            Symbol(body, new, inner.dtype, inner.shape)
            for new, inner in zip(
                made[len(states) :], (self.read, *self.probes.values()), strict=True
            )
        )
        return Advanced(states, read, dict(zip(self.probes, probes, strict=True)))


def write_step(network: SteppedNetwork, once: Given, frame: Kind) -> StepFunction:
    """Write the step of a network.

    Args:
        once: what is the same at all time steps.
        frame: what a frame is.
    """
    body = Body("step_")
    kinds = {FRAME: frame, **network.states}
    given = {name: _taken(body, name, kind) for name, kind in kinds.items()}
    given |= {name: Symbol(body, name, value.dtype, value.shape) for name, value in once.items()}
    for name, drawn in network.draws.items():
        if network.inside:
            break
        given[name] = _taken(body, name, drawn.kind)
    for name in (SEED, TRIAL, STEP):
        given[name] = Symbol(body, name, torch.uint64, ())
    given[SAMPLES] = Symbol(body, SAMPLES, torch.uint64, (None,))
    advanced = network.step(body, given)
    outputs = []
    ends = [(f"new.{name}", advanced.states[name]) for name in network.states]
    ends.append(("read", advanced.read))
    # A layer may be called "membrane": its states are told from probes by what stands in front.
    ends += [(f"probe.{name}", value) for name, value in advanced.probes.items()]
    for name, value in ends:
        outputs.append(name)
        body.add("Identity", [value.name], outputs[-1:])
    nodes = body.reachable(outputs)
    used = {name for node in nodes for name in node.input}
    arrays = {name: values for name, values in body.arrays.items() if name in used}
    inputs = [name for name in given if name in used] + list(arrays)
    proto = helper.make_function(
        DOMAIN, NAME, inputs, outputs, nodes, [helper.make_opsetid("", OPSET)]
    )
    return StepFunction(proto, inputs, arrays, advanced.read, advanced.probes, list(network.states))


def _taken(body: Body, name: str, kind: Kind) -> Symbol:
    return Symbol(body, name, kind.dtype, (None, *kind.shape))
