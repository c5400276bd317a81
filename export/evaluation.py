"""Evaluation of a NIR graph in real numbers, as in any NIR framework, to check an export.

NIR's neurons take Euler steps, ``v := v + dt/τ·(v_leak − v + r·I)``. A neuron spikes if
``v > v_threshold``, and then ``v := v_reset``, unless its metadata says otherwise: ``"reset"``,
``"reset_delay"`` and ``"refractory"``. Random time constants have their means.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import nir
import numpy as np
import torch
from torch.nn import functional

from stochi.deploy.graph.order import order_layers
from stochi.errors import GraphError

_SILENT = (nir.LI, nir.CubaLI, nir.I)
_NEURONS = (nir.LIF, nir.IF, nir.CubaLIF, *_SILENT)
Forced = Mapping[str, list[torch.Tensor]]


@dataclass(eq=False)
class Evaluation:
    """What a graph computed, at each time step.

    Attributes:
        outputs: input of the output node.
        currents, spikes: of each layer of neurons.
        reached: its membranes where they are compared with the threshold.
        membranes: its membranes as they are read.
    """

    outputs: list[torch.Tensor] = field(default_factory=list)
    currents: dict[str, list[torch.Tensor]] = field(default_factory=dict)
    reached: dict[str, list[torch.Tensor]] = field(default_factory=dict)
    membranes: dict[str, list[torch.Tensor]] = field(default_factory=dict)
    spikes: dict[str, list[torch.Tensor]] = field(default_factory=dict)


def evaluate(graph: nir.NIRGraph, inputs: torch.Tensor, time_steps: int, dt: float) -> torch.Tensor:
    """Return the input of the graph's output node at every time step.

    Args:
        graph: a graph with one input and one output.
        inputs: (batch, *shape), shown at every time step, or (time steps, batch, *shape).
        time_steps: number of time steps.
        dt: length of a time step in seconds.

    Returns:
        (time steps, batch, *output shape), float64.

    Raises:
        GraphError: a node has a kind that is not supported, or linear nodes form a cycle.
    """
    return torch.stack(evaluate_all(graph, inputs, time_steps, dt).outputs)


def evaluate_all(
    graph: nir.NIRGraph,
    inputs: torch.Tensor,
    time_steps: int,
    dt: float,
    forced: Forced = MappingProxyType({}),
) -> Evaluation:
    """Evaluate a graph as :func:`evaluate` does; return what every layer computed.

    Args:
        graph, inputs, time_steps, dt: as for :func:`evaluate`.
        forced: spikes of some layers at each time step, which they send, and reset by, in place of
            their own.
    """
    shape = tuple(next(iter(graph.inputs.values())).output_type["output"])
    frames = inputs.dim() == len(shape) + 2
    walk = _Walk(graph, dt, forced)
    for step in range(time_steps):
        walk.frames.append((inputs[step] if frames else inputs).double())
        walk.step()
    return walk.found


class _Walk:
    """One time step after the other: every layer of neurons in order, then the output."""

    def __init__(self, graph: nir.NIRGraph, dt: float, forced: Forced) -> None:
        self.nodes, self.dt, self.forced = graph.nodes, dt, forced
        self.before: dict[str, list[str]] = {name: [] for name in graph.nodes}
        for source, target in graph.edges:
            self.before[target].append(source)
        self.output = next(iter(graph.outputs))
        self.reads = graph.metadata.get("reads", "spikes")
        self.frames: list[torch.Tensor] = []
        self.found = Evaluation()
        neurons = [name for name, node in self.nodes.items() if isinstance(node, _NEURONS)]
        self.order = order_layers(neurons, lambda name: self.sources(name, ()))
        self.neurons = {name: NeuronState(self.nodes[name], dt) for name in self.order}

    def sources(self, name: str, seen: tuple[str, ...]) -> list[str]:
        """Return the neurons and inputs whose values reach a node over linear nodes."""
        if name in seen:
            raise GraphError(f"nodes {', '.join(map(repr, seen))} feed each other in a cycle")
        found = []
        for source in self.before[name]:
            if isinstance(self.nodes[source], (*_NEURONS, nir.Input)):
                found.append(source)
            else:
                found += self.sources(source, (*seen, name))
        return found

    def step(self) -> None:
        now, done = len(self.frames) - 1, set[str]()
        for name in self.order:
            current = self.given(name, now, done)
            forced = self.forced.get(name)
            neuron = self.neurons[name]
            sent = neuron.step(current, None if forced is None else forced[now])
            for record, value in (
                (self.found.currents, current),
                (self.found.reached, neuron.reached),
                (self.found.membranes, neuron.membrane),
                (self.found.spikes, sent),
            ):
                record.setdefault(name, []).append(value)
            done.add(name)
        self.found.outputs.append(self.given(self.output, now, done))

    def given(self, name: str, now: int, done: set[str]) -> torch.Tensor:
        """Return what a node receives at a time step."""
        values = [self.sent(source, now, done, name) for source in self.before[name]]
        if not values:
            raise GraphError(f"nothing feeds node {name!r}")
        return sum(values[1:], values[0])

    def sent(self, name: str, now: int, done: set[str], target: str) -> torch.Tensor:
        """Return what a node sends at a time step; layers that are not done send the last one's."""
        node = self.nodes[name]
        if isinstance(node, nir.Input):
            return self.frames[now] if now >= 0 else torch.zeros_like(self.frames[0])
        if isinstance(node, _NEURONS):
            time = now if name in done or now < len(self.frames) - 1 else now - 1
            shape = (len(self.frames[0]), *(int(n) for n in node.output_type["output"]))
            if time < 0:
                return torch.zeros(shape, dtype=torch.float64, device=self.frames[0].device)
            membrane = target == self.output and self.reads == "membrane"
            if membrane or isinstance(node, _SILENT):
                return self.found.membranes[name][time]
            forced = self.forced.get(name)
            return (self.found.spikes[name] if forced is None else forced)[time]
        if isinstance(node, nir.Delay):
            steps = int(np.rint(np.max(node.delay) / self.dt))
            return self.given(name, now - steps, done)
        return _stateless(name, node, self.given(name, now, done))


class NeuronState:
    """The states of a layer of neurons."""

    def __init__(self, node: nir.NIRNode, dt: float) -> None:
        metadata = node.metadata if isinstance(node.metadata, dict) else {}
        self.reset = "none" if isinstance(node, _SILENT) else str(metadata.get("reset", "zero"))
        self.delayed = bool(int(metadata.get("reset_delay", 0)))
        self.pause = int(np.rint(float(metadata.get("refractory", 0.0)) / dt))
        tau = getattr(node, "tau", getattr(node, "tau_mem", None))
        rate = dt if tau is None else dt / np.asarray(tau)
        self.decay = _tensor(1 - rate if tau is not None else 1.0)
        self.gain = _tensor(rate * np.asarray(node.r))
        self.leak = _tensor(rate * np.asarray(getattr(node, "v_leak", 0.0)))
        self.threshold = _tensor(getattr(node, "v_threshold", np.inf))
        self.v_reset = _tensor(getattr(node, "v_reset", 0.0))
        self.alpha: torch.Tensor | None = None
        if hasattr(node, "tau_syn"):
            self.alpha = _tensor(1 - dt / np.asarray(node.tau_syn))
            self.w_in = _tensor(np.asarray(node.w_in) * dt / np.asarray(node.tau_syn))
        self.membrane = self.reached = torch.zeros(())
        self.current, self.waits, self.last = torch.zeros(()), torch.zeros(()), torch.zeros(())

    def step(self, given: torch.Tensor, forced: torch.Tensor | None) -> torch.Tensor:
        """Take one Euler step; return the spikes, from which a forced layer does not reset."""
        if not self.membrane.dim():
            zeros = torch.zeros_like(given)
            self.membrane, self.current, self.waits = zeros, zeros, zeros
            self.last = (zeros > self.threshold.to(given)).double()
        decay, gain, leak, threshold = (
            t.to(given.device) for t in (self.decay, self.gain, self.leak, self.threshold)
        )
        if self.alpha is not None:
            self.current = self.alpha.to(given) * self.current + self.w_in.to(given) * given
            given = self.current
        before = self.membrane
        if self.delayed and self.reset == "zero":
            before = before * (1 - self.last)
        updated = decay * before + gain * given + leak
        if self.delayed and self.reset == "subtract":
            updated = updated - self.last * torch.where(self.last > 0, threshold, 0.0)
        updated = torch.where(self.waits > 0, before, updated)
        self.reached = updated
        spikes = ((updated > threshold) & (self.waits <= 0)).double()
        self.waits = (self.waits - 1).clamp(min=0)
        self.last = spikes if forced is None else forced
        self.waits = torch.where(self.last > 0, float(self.pause), self.waits)
        if not self.delayed and self.reset == "zero":
            updated = torch.where(self.last > 0, self.v_reset.to(given.device), updated)
        elif not self.delayed and self.reset == "subtract":
            updated = updated - torch.where(self.last > 0, threshold, 0.0)
        self.membrane = updated
        return spikes


def _tensor(values: Any) -> torch.Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float64))


def _stateless(name: str, node: nir.NIRNode, given: torch.Tensor) -> torch.Tensor:
    def tensor(array: np.ndarray) -> torch.Tensor:
        return _tensor(array).to(given.device)

    if isinstance(node, nir.Flatten):
        return given.flatten(1)
    if isinstance(node, nir.Scale):
        return given * tensor(node.scale)
    if isinstance(node, nir.Linear):
        return given @ tensor(node.weight).T
    if isinstance(node, nir.Affine):
        return given @ tensor(node.weight).T + tensor(node.bias)
    if isinstance(node, nir.Conv1d | nir.Conv2d):
        size = 2 if isinstance(node, nir.Conv2d) else 1
        convolve = functional.conv2d if size == 2 else functional.conv1d
        stride, dilation = (
            tuple(int(v) for v in np.broadcast_to(a, size)) for a in (node.stride, node.dilation)
        )
        padding = node.padding
        if not isinstance(padding, str):
            padding = tuple(int(v) for v in np.broadcast_to(padding, size))
        weight, bias = tensor(node.weight), tensor(node.bias)
        return convolve(given, weight, bias, stride, padding, dilation, int(node.groups))
    if isinstance(node, nir.AvgPool2d | nir.SumPool2d):
        kernel, stride, padding = (
            tuple(int(v) for v in np.broadcast_to(a, 2))
            for a in (node.kernel_size, node.stride, node.padding)
        )
        mean = functional.avg_pool2d(given, kernel, stride, padding)
        return mean * (kernel[0] * kernel[1] if isinstance(node, nir.SumPool2d) else 1)
    raise GraphError(f"node {name!r}: {type(node).__name__} is not supported")
