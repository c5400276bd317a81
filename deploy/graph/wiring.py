"""The wiring of a NIR graph: which sources reach which layer, over which linear nodes.

A layer is a neuron node, or the output if weights feed it. A path leads to it from the input or
from a neuron node, over nodes that are linear. Everything that runs or lowers a graph walks these
layers in this order.
"""

from dataclasses import dataclass, replace

import nir
import numpy as np

from stochi.deploy.graph.arrays import as_array, spread
from stochi.deploy.graph.flat import FlatGraph, flatten
from stochi.deploy.graph.neurons import NEURONS, to_steps
from stochi.deploy.graph.order import order_layers
from stochi.deploy.graph.searching import check_paths, paths_into
from stochi.deploy.graph.shapes import Shape, infer_shapes
from stochi.deploy.graph.sizes import check_delay, check_weights
from stochi.errors import GraphError, LoweringError
from stochi.program.layers import INPUT

WEIGHTED = (nir.Linear, nir.Affine, nir.Conv1d, nir.Conv2d, nir.Scale)
LINEAR = (*WEIGHTED, nir.AvgPool2d, nir.SumPool2d, nir.Flatten, nir.Delay)
SUPPORTED = (
    "Input, Output, Linear, Affine, Conv1d, Conv2d, Scale, AvgPool2d, SumPool2d, Flatten, Delay,"
    " Threshold, LIF, IF, CubaLIF, LI, CubaLI, I and NIRGraph"
)


@dataclass(frozen=True)
class Path:
    """A path of linear nodes from a source to a layer.

    Attributes:
        source: ``"input"`` or a layer's name.
        nodes: names of the nodes between them, in order.
        biases: for each node, how often its bias reaches the layer over this path: 0 if another
            path of the layer already brings it, since a node has one bias however many sources
            feed it; 2 if two connections lead on from it.
        delay: axonal delay in time steps, int32, scalar or of the source's shape; at least 1 if the
            path closes a loop.
    """

    source: str
    nodes: tuple[str, ...]
    biases: tuple[int, ...]
    delay: np.ndarray


@dataclass(frozen=True)
class WiredLayer:
    """A layer and the paths that feed it.

    Attributes:
        name: the layer's name.
        node: name of the neuron node; "" for a layer that only reads its input.
        shape: shape of the layer, without the batch.
        paths: every path that leads to it.
    """

    name: str
    node: str
    shape: tuple[int, ...]
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Wiring:
    """The layers of a graph in the order in which a time step computes them.

    Attributes:
        nodes: the graph's nodes by name, without inner graphs.
        shapes: shapes of their outputs, without the batch.
        layers: the layers.
        input_shape: shape of one image or frame.
        output: name of the layer that is read.
    """

    nodes: dict[str, nir.NIRNode]
    shapes: dict[str, Shape]
    layers: tuple[WiredLayer, ...]
    input_shape: tuple[int, ...]
    output: str


def wire(graph: nir.NIRGraph, dt: float) -> Wiring:
    """Find the layers of a graph and their paths.

    Args:
        dt: seconds per time step.

    Raises:
        GraphError: the graph is not valid, or its output or a layer is fed by nothing.
        LoweringError: nodes are connected in a way that is not supported.
    """
    flat = flatten(graph)
    for name, node in flat.nodes.items():
        if not isinstance(node, (*NEURONS, *LINEAR, nir.Input, nir.Output)):
            raise LoweringError(
                f"node {name!r} ({type(node).__name__}) is not supported; Stochi lowers {SUPPORTED}"
            )
    _check_ends(flat)
    shapes = infer_shapes(flat)
    check_paths(flat)
    found = {}
    for name, node in flat.nodes.items():
        if isinstance(node, NEURONS):
            if name not in shapes:
                raise GraphError(f"the graph's input does not lead to node {name!r}")
            found[name] = _layer(flat, shapes, name, dt)
    read = flat.before[flat.output]
    if not read:
        raise GraphError("the graph's input does not lead to its output: nothing feeds the output")
    if len(read) == 1 and read[0] in found:
        output = read[0]
    else:
        readout = _layer(flat, shapes, flat.output, dt)
        output = _name_of(readout, flat)
        found[output] = replace(readout, name=output)
    names = order_layers(list(found), lambda name: [path.source for path in found[name].paths])
    layers = tuple(_delay_feedback(found[name], names) for name in names)
    check_weights(flat.nodes, [path.nodes for layer in layers for path in layer.paths])
    return Wiring(flat.nodes, shapes, layers, shapes[flat.input], output)


def _check_ends(flat: FlatGraph) -> None:
    """Raise LoweringError if edges lead into the graph's input, or from its output."""
    if flat.before[flat.input]:
        raise LoweringError(
            f"node {flat.before[flat.input][0]!r} feeds the input {flat.input!r}, which takes only"
            " the sample; lead the edge to the node behind the input"
        )
    fed = next((name for name, sources in flat.before.items() if flat.output in sources), None)
    if fed is not None:
        raise LoweringError(
            f"the output {flat.output!r} feeds node {fed!r}; lead the edge from the node before the"
            " output"
        )


def _name_of(readout: WiredLayer, flat: FlatGraph) -> str:
    """Return the name of the only weights that feed a readout, or a name that no node has."""
    weights = {
        next((name for name in path.nodes if isinstance(flat.nodes[name], WEIGHTED)), "")
        for path in readout.paths
    }
    name = weights.pop() if len(weights) == 1 else ""
    if name:
        return name
    name = "readout"
    while name in flat.nodes:
        name += "_"
    return name


def _layer(flat: FlatGraph, shapes: dict[str, Shape], name: str, dt: float) -> WiredLayer:
    """Return the layer of a neuron node, or that of the output, which only reads."""
    node = flat.nodes[name]
    counted: set[tuple[str, ...]] = set()
    paths = []
    for walked in paths_into(flat, name):
        between, biases, ways = walked[1:-1], list[int](), 1
        for place in range(len(walked) - 2, 0, -1):
            rest = walked[place:]
            ways *= flat.before[rest[1]].count(rest[0])
            biases.append(0 if rest in counted else ways)
            counted.add(rest)
        biases.reverse()
        source = INPUT if isinstance(flat.nodes[walked[0]], nir.Input) else walked[0]
        delay = _delay(flat, shapes, walked, dt)
        paths.append(Path(source, between, tuple(biases), delay))
    if not paths:
        raise LoweringError(f"layer {name!r}: nothing feeds it")
    neurons = name if isinstance(node, NEURONS) else ""
    return WiredLayer(name, neurons, shapes[name], tuple(paths))


def _delay(
    flat: FlatGraph, shapes: dict[str, Shape], walked: tuple[str, ...], dt: float
) -> np.ndarray:
    """Return the delay of a path, whose first node is its source, in time steps."""
    source = shapes[walked[0]]
    total = np.zeros((), np.int32)
    for place, name in enumerate(walked):
        node = flat.nodes[name]
        if not isinstance(node, nir.Delay):
            continue
        before = [flat.nodes[earlier] for earlier in walked[1:place]]
        biases = [getattr(earlier, "bias", None) for earlier in before]
        if any(bias is not None and np.any(as_array(bias)) for bias in biases):
            raise LoweringError(
                f"node {name!r}: it delays a bias; put the delay before the weights"
            )
        delays = spread(name, "delay", as_array(node.delay), shapes[name])
        steps = to_steps(name, "delay", delays, dt)
        if np.all(steps == steps.flat[0]):
            total = np.asarray(total + steps.flat[0], np.int32)
        elif all(isinstance(earlier, nir.Flatten | nir.Delay) for earlier in before):
            total = np.asarray(total + steps.reshape(source), np.int32)
        else:
            raise LoweringError(
                f"node {name!r}: its delays differ between neurons, after weights or pooling; a"
                " chip delays axons, so put the delays directly after the neurons"
            )
        check_delay(name, total, source)
    return total


def _delay_feedback(layer: WiredLayer, order: list[str]) -> WiredLayer:
    """Delay the spikes of later layers, and of the layer itself, by at least one time step."""
    place = order.index(layer.name)
    paths = tuple(
        replace(path, delay=np.asarray(np.maximum(path.delay, 1), np.int32))
        if path.source in order and order.index(path.source) >= place
        else path
        for path in layer.paths
    )
    return replace(layer, paths=paths)
