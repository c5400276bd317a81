"""Building of a torch module from a NIR graph."""

import nir
import torch
from torch import nn

from stochi.arguments import check_arguments
from stochi.deploy.graph.conventions import resolve_conventions
from stochi.deploy.graph.neurons import read_neuron
from stochi.deploy.graph.sizes import check_additions
from stochi.deploy.graph.wiring import Wiring, wire
from stochi.deploy.lowering.network import find_dt, find_time_steps
from stochi.errors import GraphError, InputError
from stochi.export.model.linear import linear_node
from stochi.export.model.model import GraphModel
from stochi.export.model.neuron import GraphNeuron
from stochi.export.model.reading import Reading
from stochi.export.surrogates import make_surrogate


def from_nir(
    graph: nir.NIRGraph,
    *,
    dt: float | None = None,
    time_steps: int | None = None,
    readout: str | None = None,
    convention: str | None = None,
    reset: str | None = None,
    dtype: torch.dtype | None = None,
) -> GraphModel:
    """Return a NIR graph as a torch module in real numbers.

    It can be trained, attacked, exported and compared like any other model. Its neurons take the
    forward Euler steps of NIR's equations, with what the nodes' metadata adds, and draw random τ
    from torch's generator. The graph is not changed, and its numbers are copied.

    Args:
        graph: from ``stochi.export.to_nir`` or another framework.
        dt: seconds per time step, if ``graph.metadata["dt"]`` is missing.
        time_steps: time steps for which an image is shown; default ``graph.metadata["steps"]``,
            else 8. Events bring their own number.
        readout: how the output is read over time: "mean", "sum", "last" or "steps"; default
            ``graph.metadata["readout"]``, else "mean".
        convention, reset: as for :func:`stochi.deploy.resolve_conventions`.
        dtype: type of the parameters; default torch's.

    Returns:
        A module that maps images (batch, *shape) or events (time steps, batch, *shape) to
        (batch, *output shape).

    Raises:
        GraphError, LoweringError: the graph is not valid, or a node is not supported; the message
            names it.
        InputError: an argument is out of range or contradicts the graph.

    Warns:
        ConventionWarning, ResetWarning: the graph does not say how its numbers are meant.
    """
    check_arguments(from_nir, locals(), besides=("graph",))
    if not isinstance(graph, nir.NIRGraph):
        raise GraphError(f"a NIR graph is needed, this is a {type(graph).__name__}")
    graph = resolve_conventions(graph, dt=dt, convention=convention, reset=reset)
    noted = graph.metadata if isinstance(graph.metadata, dict) else {}
    dtype = torch.get_default_dtype() if dtype is None else dtype
    if not dtype.is_floating_point:
        raise InputError(f"dtype is {dtype}; choose a floating-point type")
    seconds = find_dt(graph, dt)
    reading = Reading(
        seconds,
        find_time_steps(graph, time_steps),
        str(noted.get("readout", "mean") if readout is None else readout),
        str(noted.get("reads", "spikes")),
    )
    wiring = wire(graph, seconds)
    paths = [path.nodes for layer in wiring.layers for path in layer.paths]
    check_additions(wiring.nodes, wiring.shapes, paths, reading.time_steps)
    return GraphModel(graph, wiring, _modules(wiring, seconds, dtype), reading)


def _modules(wiring: Wiring, dt: float, dtype: torch.dtype) -> dict[str, nn.Module]:
    """Return the module of each node on a path and of each neuron node, by the node's name."""
    modules: dict[str, nn.Module] = {}
    for layer in wiring.layers:
        for name in (name for path in layer.paths for name in path.nodes):
            if name not in modules:
                node, shape = wiring.nodes[name], wiring.shapes[name]
                modules[name] = linear_node(name, node, shape, dtype)
        if layer.node:
            neuron = read_neuron(layer.node, wiring.nodes[layer.node], dt, layer.shape)
            made = GraphNeuron(neuron, layer.shape, dtype)
            if not neuron.gate:
                made.spike_grad = make_surrogate(layer.node, neuron.surrogate)
            modules[layer.node] = made
    return modules
