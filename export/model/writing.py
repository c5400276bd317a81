"""A graph with the numbers that its torch module has now."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import nir
import numpy as np
import torch

from stochi.deploy.graph.folding import ungrouped
from stochi.deploy.graph.neurons import read_neuron
from stochi.deploy.graph.random_tau import describe
from stochi.deploy.graph.readout import ANSWERS
from stochi.errors import InputError
from stochi.export.model.linear import Convolution, LinearNode
from stochi.export.model.model import GraphModel
from stochi.export.model.neuron import GraphNeuron


def written_graph(model: GraphModel) -> nir.NIRGraph:
    """Return a module's graph with its weights, biases, decays, gains and thresholds of now.

    Numbers that have not changed since the module was made stay as they are in the graph, to the
    bit. If the module reads the last time step and the graph does not, or the other way round, the
    module's readout is written.

    Args:
        model: the module, in real numbers or in a chip's.
    """
    copied = deepcopy(model.graph)
    for name, node in _nodes(copied, ""):
        module = model.nodes.get(name)
        if isinstance(module, LinearNode):
            write_linear(node, module)
        elif isinstance(module, GraphNeuron):
            write_neuron(name, node, module, model.reading.dt)
    if ANSWERS.get(copied.metadata.get("readout", "mean")) != ANSWERS[model.reading.readout]:
        copied.metadata["readout"] = model.reading.readout
    return copied


def _nodes(graph: nir.NIRGraph, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            yield from _nodes(node, f"{prefix}{name}.")
        else:
            yield prefix + name, node


def write_linear(node: Any, module: LinearNode) -> None:
    """Write weights, bias and scale of now into a node."""
    for what in ("weight", "bias", "scale"):
        parameter = getattr(module, what, None)
        if parameter is None:
            continue
        values = parameter.detach().cpu().double().numpy()
        if what == "weight" and isinstance(module, Convolution) and int(node.groups) == 1:
            values = ungrouped(values, module.geometry[-1])
        _write(node, what, parameter.detach().cpu(), values)


def write_neuron(name: str, node: Any, module: GraphNeuron, dt: float) -> None:
    """Write the threshold, and the time constants and resistance that give decay and gain."""
    real = read_neuron(name, node, dt)
    if module.learns_decays:
        node.metadata = {**node.metadata, **describe(module.random_tau())}
        mean = np.array(module.distribution.mean)
        node.tau = np.broadcast_to(dt / (1 - mean), np.shape(node.tau)).copy()
        node.r = np.ones(np.shape(node.r))
        real = read_neuron(name, node, dt)
    given: dict[str, Any] = {
        what: getattr(real, what) for what in ("decay", "current_decay", "gain", "threshold")
    }
    now: dict[str, Any] = {what: module.changed(what, values) for what, values in given.items()}
    if module.random:
        now |= {"decay": None, "gain": None}
    changed = {what for what, values in now.items() if values is not None}
    if "threshold" in changed:
        node.v_threshold = np.broadcast_to(now["threshold"], np.shape(node.v_threshold)).copy()
    if not changed - {"threshold"}:
        return
    decay, current_decay, gain = (
        given[what] if now[what] is None else now[what] for what in list(given)[:3]
    )
    shape = np.shape(node.r)
    if isinstance(node, nir.IF | nir.I):
        node.r = np.broadcast_to(gain / dt, shape).copy()
        return
    per_step = 1 - np.asarray(decay)
    if np.any(per_step <= 0) or np.any(per_step > 1):
        raise InputError(f"neuron {name!r}: a decay left [0, 1); NIR's time constants are positive")
    if isinstance(node, nir.LIF | nir.LI):
        node.tau = np.broadcast_to(dt / per_step, shape).copy()
        node.r = np.broadcast_to(gain / per_step, shape).copy()
        return
    of_current = 1 - np.asarray(current_decay)
    node.tau_mem = np.broadcast_to(dt / per_step, shape).copy()
    node.tau_syn = np.broadcast_to(dt / of_current, shape).copy()
    node.r = np.broadcast_to(gain / per_step / of_current / node.w_in, shape).copy()


def _write(node: Any, what: str, parameter: torch.Tensor, values: np.ndarray) -> None:
    """Write values unless the node's own give the same parameter."""
    own = np.asarray(getattr(node, what))
    if not torch.equal(torch.from_numpy(own).to(parameter), torch.from_numpy(values).to(parameter)):
        setattr(node, what, values.astype(np.float64))
