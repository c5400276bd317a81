"""Evaluation of a NIR graph in real numbers, as in any NIR framework, to check an export."""

import nir
import numpy as np
import torch
from torch.nn import functional

from stochi.errors import GraphError


def evaluate(graph: nir.NIRGraph, inputs: torch.Tensor, time_steps: int, dt: float) -> torch.Tensor:
    """Return the input of the graph's output node at every time step.

    NIR's neurons take Euler steps, ``v := v + dt/τ·(v_leak − v + r·I)``. A neuron spikes if
    ``v > v_threshold``, and then ``v := v_reset``. Metadata is ignored.

    Args:
        graph: a graph with one input and one output, without cycles.
        inputs: (batch, *shape), shown at every time step, or (time steps, batch, *shape).
        time_steps: number of time steps.
        dt: length of a time step in seconds.

    Returns:
        (time steps, batch, *output shape), float64.

    Raises:
        GraphError: a node has a kind that is not supported, or the graph has a cycle.
    """
    shape = tuple(next(iter(graph.inputs.values())).output_type["output"])
    frames = inputs.dim() == len(shape) + 2
    order = _order(graph)
    membranes: dict[str, torch.Tensor] = {}
    outputs = []
    for step in range(time_steps):
        values: dict[str, torch.Tensor] = {}
        for name in order:
            node = graph.nodes[name]
            if isinstance(node, nir.Input):
                values[name] = (inputs[step] if frames else inputs).double()
                continue
            given = sum(values[a] for a, b in graph.edges if b == name)
            assert isinstance(given, torch.Tensor)
            if isinstance(node, nir.LIF):
                before = membranes.get(name, torch.zeros_like(given))
                values[name], membranes[name] = _lif(node, given, before, dt)
            else:
                values[name] = _stateless(name, node, given)
        outputs.append(values[next(iter(graph.outputs))])
    return torch.stack(outputs)


def _lif(
    node: nir.LIF, current: torch.Tensor, membrane: torch.Tensor, dt: float
) -> tuple[torch.Tensor, torch.Tensor]:
    tau, r, leak, threshold, reset = (
        torch.from_numpy(np.asarray(a, dtype=np.float64)).to(current.device)
        for a in (node.tau, node.r, node.v_leak, node.v_threshold, node.v_reset)
    )
    decay = 1 - dt / tau
    updated = decay * membrane + (1 - decay) * (leak + r * current)
    spikes = updated > threshold
    return spikes.double(), torch.where(spikes, reset, updated)


def _stateless(name: str, node: nir.NIRNode, given: torch.Tensor) -> torch.Tensor:
    def tensor(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.asarray(array, dtype=np.float64)).to(given.device)

    if isinstance(node, nir.Output):
        return given
    if isinstance(node, nir.Flatten):
        return given.flatten(1)
    if isinstance(node, nir.Linear):
        return given @ tensor(node.weight).T
    if isinstance(node, nir.Affine):
        return given @ tensor(node.weight).T + tensor(node.bias)
    if isinstance(node, nir.Conv2d):
        padding = node.padding if isinstance(node.padding, str) else tuple(map(int, node.padding))
        return functional.conv2d(
            given,
            tensor(node.weight),
            tensor(node.bias),
            tuple(map(int, node.stride)),
            padding,
            tuple(map(int, node.dilation)),
            int(node.groups),
        )
    if isinstance(node, nir.AvgPool2d | nir.SumPool2d):
        kernel, stride, padding = (
            tuple(int(v) for v in np.broadcast_to(a, 2))
            for a in (node.kernel_size, node.stride, node.padding)
        )
        mean = functional.avg_pool2d(given, kernel, stride, padding)
        return mean * (kernel[0] * kernel[1] if isinstance(node, nir.SumPool2d) else 1)
    raise GraphError(f"node {name!r}: {type(node).__name__} is not supported")


def _order(graph: nir.NIRGraph) -> list[str]:
    """Return the names of the nodes, each after all that feed it."""
    waiting = dict.fromkeys(graph.nodes)
    order: list[str] = []
    while waiting:
        ready = [n for n in waiting if all(a not in waiting for a, b in graph.edges if b == n)]
        if not ready:
            raise GraphError(f"nodes {', '.join(map(repr, waiting))} feed each other in a cycle")
        for name in ready:
            order.append(name)
            del waiting[name]
    return order
