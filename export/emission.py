"""Emission of a rolled-up network as a NIR graph."""

import math
from dataclasses import dataclass, field, replace

import nir
import numpy as np
import torch

from stochi.deploy.graph.order import order_layers
from stochi.deploy.graph.shown_graph import NIRGraph
from stochi.errors import ExportError
from stochi.export.convolution import to_nir_weights
from stochi.export.neurons import Reading, SpikingLayer, or_node, to_node
from stochi.export.operations import Flatten, Operation, Pool, Scale, Shape, Weights, digest
from stochi.export.paths import Layout, Route, input_layout, routes_into
from stochi.export.problems import RETRAIN, Problems
from stochi.export.rolling import Template
from stochi.export.run import Run
from stochi.export.signals import INPUT, SPIKES, Signal

OUTPUT = ""


@dataclass(frozen=True, eq=False)
class Emitted:
    """A graph, and the node's name of each layer of neurons."""

    graph: nir.NIRGraph
    names: dict[str, str]


@dataclass(eq=False)
class Draft:
    """A node between neurons, before its bias is known.

    Attributes:
        operation: what it computes.
        inputs: names of the nodes that feed it.
        bias: (outputs,) float64; None while it is not decided.
    """

    operation: Operation
    inputs: tuple[str, ...]
    bias: np.ndarray | None = None


@dataclass(eq=False)
class Emission:
    """A graph in the making.

    Attributes:
        run, template: the network.
        layout: shapes as known before; ``found`` is what this emission finds out about them.
        dt: length of a time step in seconds.
        problems: what NIR cannot express.
        places: layers in the order in which a time step computes them.
        names: node's name of each layer of neurons.
        nodes: finished nodes and drafts, in the graph's order.
        known: drafts by what they compute from what.
        taken: names of nodes.
    """

    run: Run
    template: Template
    layout: Layout
    dt: float
    problems: Problems
    places: dict[str, int]
    found: Layout
    names: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, nir.NIRNode | Draft] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    known: dict[tuple[object, ...], str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=lambda: {INPUT, "output"})

    def unique(self, wanted: str) -> str:
        """Return a free name for a node, the wanted one if possible."""
        wanted = wanted.replace("/", "_") or "model"
        name, number = wanted, 0
        while name in self.taken:
            number += 1
            name = f"{wanted}.{number}"
        self.taken.add(name)
        return name


def emit(run: Run, template: Template, dt: float, problems: Problems) -> Emitted | None:
    """Return the graph of a network; None, with problems, if NIR cannot express it."""
    shape = _input_shape(run, template)
    layout = input_layout([*template.inputs.values(), template.output], shape)
    places = _places(template)
    while True:
        made = Emission(run, template, layout, dt, Problems(), places, layout)
        emitted = _emit(made)
        if made.found.same(layout):
            break
        layout = made.found
    for problem in made.problems.found:
        problems.add(problem)
    return emitted


def _input_shape(run: Run, template: Template) -> Shape:
    for signal in (*template.inputs.values(), template.output):
        for term in signal.terms:
            if term.source.kind == INPUT:
                return term.source.shape
    return tuple(run.recording.sample.shape[1:])


def _emit(made: Emission) -> Emitted | None:
    template, problems = made.template, made.problems
    made.nodes[INPUT] = nir.Input(np.array(made.layout.input_shape))
    for name in template.inputs:
        made.names[name] = made.unique(name)
    for name, signal in template.inputs.items():
        routes, is_flat = routes_into(name, signal, made.layout, problems)
        if is_flat and name not in made.layout.flat:
            made.found = made.found.with_flat(name)
        elif routes:
            _emit_neurons(made, name, signal, routes)
        elif not problems.found:
            problems.add(f"layer {name!r}: nothing feeds it")
    routes, is_flat = routes_into(OUTPUT, template.output, made.layout, problems)
    if (is_flat or not routes) and not problems.found:
        problems.add(
            "the model's output is rearranged in a way that NIR has no node for; return it in one"
            " dimension, (batch, classes)"
        )
    if problems.found or not made.found.same(made.layout):
        return None
    feeding = _feed(made, routes, "output", OUTPUT)
    rest = _assign(made, feeding, _constant(template.output), template.output.shape)
    if np.any(rest):
        problems.add(
            "the model's output has a constant that differs within a channel, which no bias can"
            " hold; move the constant after the readout"
        )
        return None
    made.nodes["output"] = nir.Output(np.array(template.output.shape))
    made.edges += [(name, "output") for name in feeding]
    graph = _finish(made)
    return None if graph is None else Emitted(graph, made.names)


def _places(template: Template) -> dict[str, int]:
    def sources(name: str) -> list[str]:
        terms = template.inputs[name].terms
        return [t.source.name if t.source.kind == SPIKES else "\0input" for t in terms]

    order = order_layers(list(template.inputs), sources)
    return {name: place for place, name in enumerate(order)}


def _emit_neurons(made: Emission, name: str, signal: Signal, routes: list[Route]) -> None:
    node_name = made.names[name]
    shape = signal.shape if name not in made.layout.flat else (math.prod(signal.shape),)
    _check_order(made, name, signal)
    feeding = _feed(made, routes, node_name, name)
    rest = _assign(made, feeding, _constant(signal), shape)
    described = made.run.neurons.get(name)
    if described is None:
        made.nodes[node_name] = or_node(shape, made.dt)
    else:
        reading = _reading(made.template, name)
        leaks = described.current_decay is None and not bool(np.all(described.decay == 1))
        if np.any(rest) and not leaks:
            _hold_in_biases(made, name)
            return
        described = _in_shape(described, signal.shape, shape)
        _check_silent(described, reading, made.problems)
        try:
            made.nodes[node_name] = to_node(described, shape, rest, made.dt, reading)
        except ValueError as error:
            made.problems.add(f"neuron {name!r}: {error}")
    made.edges += [(source, node_name) for source in feeding]


def _hold_in_biases(made: Emission, name: str) -> None:
    """Let dense weights, whose biases differ between neurons, hold what no leak can."""
    if name in made.layout.dense:
        made.problems.add(
            f"neuron {name!r} receives a constant that differs within a channel, and NIR has no"
            f" leak for it in a neuron like this; use snn.Leaky with beta < 1{RETRAIN}"
        )
        return
    made.found = made.found.with_flat(name).with_dense(name)


def _reading(template: Template, name: str) -> Reading:
    """Return what the network takes from a layer."""
    if template.reads != "membrane" or template.output.terms[0].source.name != name:
        return "spikes"
    sources = {t.source.name for signal in template.inputs.values() for t in signal.terms}
    return "membrane" if name in sources else "only membrane"


def _check_silent(layer: SpikingLayer, reading: Reading, problems: Problems) -> None:
    integrates = reading == "only membrane" and layer.silent
    if np.any(np.isposinf(layer.threshold)) and not integrates:
        problems.add(
            f"neuron {layer.name!r}: its threshold is infinite, so it never spikes; give it a"
            f" finite threshold{RETRAIN}, or return its membrane"
        )


def _in_shape(layer: SpikingLayer, shape: Shape, wanted: Shape) -> SpikingLayer:
    """Return a layer whose parameters have the shape of flat neurons."""
    if shape == wanted:
        return layer

    def flatten(values: np.ndarray | None) -> np.ndarray | None:
        if values is None or values.size == 1:
            return values
        return np.broadcast_to(values, (1, *shape)).reshape(wanted)

    decay, gain, threshold = map(flatten, (layer.decay, layer.gain, layer.threshold))
    assert decay is not None and gain is not None and threshold is not None
    return replace(
        layer,
        decay=decay,
        gain=gain,
        threshold=threshold,
        current_decay=flatten(layer.current_decay),
    )


def _check_order(made: Emission, name: str, signal: Signal) -> None:
    """Note a problem if a loop would delay spikes that the model does not delay."""
    for term in signal.terms:
        source = term.source
        at_once = source.kind == SPIKES and source.time == 0
        if at_once and made.places[source.name] >= made.places[name]:
            made.problems.add(
                f"neuron {name!r} receives spikes of {source.name!r} of the same time step, but on"
                " a chip it comes first in their loop, being nearer to the input; feed it the"
                f" spikes of the step before{RETRAIN}"
            )


def _origin(made: Emission, route: Route, target: str) -> str:
    """Return the node from which a route starts: a source, or the source delayed."""
    source = route.source
    if source.kind == INPUT:
        name, late = INPUT, -(source.time or 0)
    else:
        name, late = made.names[source.name], -(source.time or 0)
        feedback = target != OUTPUT and made.places[source.name] >= made.places[target]
        late = 0 if feedback and late == 1 else late
    if not late:
        return name
    key = ("delay", name, late)
    if key not in made.known:
        made.known[key] = made.unique(f"{name}.delay")
        made.nodes[made.known[key]] = nir.Delay(np.full(source.shape, late * made.dt))
        made.edges.append((name, made.known[key]))
    return made.known[key]


def _feed(made: Emission, routes: list[Route], target_name: str, target: str) -> list[str]:
    """Make the nodes of routes into a layer; return the names of those that feed it."""

    def nodes(paths: list[tuple[str, tuple[Operation, ...]]]) -> list[str]:
        found: list[str] = []
        groups: dict[object, list[tuple[str, tuple[Operation, ...]]]] = {}
        for origin, path in paths:
            if path:
                groups.setdefault(path[-1].key, []).append((origin, path))
            elif origin not in found:
                found.append(origin)
        for group in groups.values():
            inputs = nodes([(origin, path[:-1]) for origin, path in group])
            found.append(_draft(made, group[0][1][-1], tuple(inputs), target_name))
        return found

    return nodes([(_origin(made, route, target), route.path) for route in routes])


def _draft(made: Emission, operation: Operation, inputs: tuple[str, ...], target: str) -> str:
    key = (operation.key, frozenset(inputs))
    if key in made.known:
        return made.known[key]
    kind = {Pool: "sum", Scale: "scale", Flatten: "flatten"}.get(type(operation), "weights")
    if isinstance(operation, Flatten) and not operation.label:
        target = inputs[0]
    name = made.known[key] = made.unique(operation.label or f"{target}.{kind}")
    made.nodes[name] = Draft(operation, inputs)
    made.edges += [(source, name) for source in inputs]
    if isinstance(operation, Weights) and operation.received is not None:
        _assign(made, list(inputs), operation.received, operation.input_shape)
    return name


# Constants.


def _constant(signal: Signal) -> np.ndarray:
    """Return a signal's constant with its full shape."""
    return np.broadcast_to(np.asarray(signal.constant, np.float64), signal.shape)


def _carried(made: Emission, name: str) -> np.ndarray | None:
    """Return the constant that a node sends, from biases decided so far; None for zero."""
    draft = made.nodes.get(name)
    if not isinstance(draft, Draft):
        return None
    given = [c for c in (_carried(made, source) for source in draft.inputs) if c is not None]
    operation, sent = draft.operation, None
    if given:
        total = np.broadcast_to(sum(given), operation.input_shape).astype(np.float64)
        sent = operation.apply(torch.from_numpy(total)[None])[0].numpy()
    if draft.bias is not None and np.any(draft.bias):
        shape = operation.output_shape
        bias = np.broadcast_to(draft.bias.reshape(-1, *(1,) * (len(shape) - 1)), shape)
        sent = bias if sent is None else sent + bias
    return sent


def _assign(made: Emission, feeding: list[str], given: np.ndarray, shape: Shape) -> np.ndarray:
    """Give a constant that is received to the bias of the weights before; return the rest."""
    constant = np.asarray(given, np.float64)
    rest = constant.reshape(shape)
    for name in feeding:
        carried = _carried(made, name)
        rest = rest if carried is None else rest - carried
    if not np.any(np.abs(rest) > 1e-12 * max(1.0, float(np.abs(constant).max(initial=0)))):
        return np.zeros(())
    for name in feeding:
        opened = _open_weights(made, name)
        if opened is None:
            continue
        draft, after = opened
        bias = _bias_for(draft.operation, after, rest)
        if bias is not None:
            draft.bias = bias
            return np.zeros(())
    return rest


def _open_weights(made: Emission, name: str) -> tuple[Draft, list[Operation]] | None:
    """Return the last weights on the way to a node, whose bias is open, and what follows them."""
    after: list[Operation] = []
    draft = made.nodes[name]
    while isinstance(draft, Draft) and not isinstance(draft.operation, Weights):
        after.insert(0, draft.operation)
        if len(draft.inputs) != 1:
            return None
        draft = made.nodes.get(draft.inputs[0], nir.Input(np.array(())))
    return (draft, after) if isinstance(draft, Draft) and draft.bias is None else None


def _bias_for(weights: Operation, after: list[Operation], rest: np.ndarray) -> np.ndarray | None:
    """Return the bias (outputs,) that arrives as ``rest``; None if there is none."""
    shape = weights.output_shape
    gain = torch.ones(1, *shape, dtype=torch.float64)
    wanted = rest
    for operation in after:
        if isinstance(operation, Flatten):
            wanted = rest.reshape(operation.input_shape)
            continue
        gain = operation.apply(gain)
    gains = np.asarray(gain[0].numpy()).reshape(shape[0], -1)
    wanted = np.broadcast_to(wanted, wanted.shape).reshape(shape[0], -1)
    if not np.all(wanted == wanted[:, :1]) and not np.allclose(wanted, wanted[:, :1], rtol=1e-12):
        return None
    if not np.all(gains == gains[:, :1]) or np.any(gains == 0):
        return None
    bias: np.ndarray = wanted[:, 0] / gains[:, 0]
    return bias


# The end.


def _finish(made: Emission) -> nir.NIRGraph | None:
    template, problems = made.template, made.problems
    nodes: dict[str, nir.NIRNode] = {}
    shared: dict[tuple[str, str], str] = {}
    for name, draft in made.nodes.items():
        if not isinstance(draft, Draft):
            nodes[name] = draft
            continue
        try:
            nodes[name] = _to_node(name, draft)
        except ExportError as error:
            problems.add(str(error))
            continue
        operation = draft.operation
        if isinstance(operation, Weights) and operation.parameter:
            same = (operation.parameter, digest(operation.effective))
            if shared.setdefault(same, name) != name:
                nodes[name].metadata["shared_with"] = shared[same]
    if problems.found:
        return None
    metadata = {"dt": float(made.dt), "steps": int(template.steps)}
    order = [n for n in nodes if n != "output"]
    graph = NIRGraph(
        {name: nodes[name] for name in [*order, "output"]}, made.edges, metadata=metadata
    )
    graph.metadata["readout"] = template.readout
    if template.reads == "membrane":
        graph.metadata["reads"] = "membrane"
    return graph


def _to_node(name: str, draft: Draft) -> nir.NIRNode:
    operation = draft.operation
    if isinstance(operation, Weights):
        return to_nir_weights(name, operation, draft.bias)
    if isinstance(operation, Pool):
        kind = nir.AvgPool2d if operation.average else nir.SumPool2d
        return kind(
            np.array(operation.kernel), np.array(operation.stride), np.array(operation.padding)
        )
    if isinstance(operation, Flatten):
        return nir.Flatten({"input": np.array(operation.input_shape)}, start_dim=0, end_dim=-1)
    assert isinstance(operation, Scale)
    return nir.Scale(np.broadcast_to(operation.factor, operation.input_shape).copy())
