"""A NIR graph cut into layers: neurons and the projections that feed them, in real numbers.

A layer has the form that the chip has: neurons, and every path of linear nodes that leads to them
from the input or from other neurons. Each path has one set of weights, with pooling before or after
it. The lowering and the twin both start from these layers.
"""

import math
from dataclasses import dataclass, field, replace
from itertools import pairwise

import nir
import numpy as np

from stochi.deploy.graph.flat import FlatGraph, flatten
from stochi.deploy.graph.neurons import NEURONS, RealNeuron, read_neuron, to_steps
from stochi.deploy.graph.order import order_layers
from stochi.errors import GraphError, LoweringError
from stochi.program.layers import INPUT, Convolution, Dense, Flatten, OneToOne, Stage, SumPool

SUPPORTED = (
    "Input, Output, Linear, Affine, Conv2d, Scale, AvgPool2d, SumPool2d, Flatten, Delay, LIF, IF,"
    " CubaLIF, LI, CubaLI and I"
)


@dataclass(frozen=True)
class RealProjection:
    """A projection before quantization; see :class:`stochi.program.layers.Projection`.

    Attributes:
        source: ``"input"`` or a layer's name.
        stages: linear steps in order; their weights are empty.
        weight_node: name of the node that holds the weights; "" for a direct connection.
        weight: real weights, float64.
        pooled: divisor of average pooling, the product of the averaging windows' sizes.
        summed: product of all pooling windows' sizes.
        delay: axonal delay in time steps, int32, scalar or of the source's shape.
    """

    source: str
    stages: tuple[Stage, ...]
    weight_node: str
    weight: np.ndarray
    pooled: int
    summed: int
    delay: np.ndarray


@dataclass(frozen=True)
class RealLayer:
    """A layer before quantization; see :class:`stochi.program.layers.Layer`.

    Attributes:
        name: the neuron's name in the graph (a readout has its weights' name).
        shape: shape of the neurons.
        projections: every input of the layer.
        bias: sum of the biases of all paths, (outputs,).
        neuron: the neurons; None for integrators, whose mean input is read.
    """

    name: str
    shape: tuple[int, ...]
    projections: tuple[RealProjection, ...]
    bias: np.ndarray
    neuron: RealNeuron | None


@dataclass(frozen=True)
class RealNetwork:
    """A network before quantization; see :class:`stochi.program.network.Network`.

    Attributes:
        input_shape: shape of one image or frame.
        layers: in the order in which a time step computes them.
        output: name of the layer that is read.
    """

    input_shape: tuple[int, ...]
    layers: tuple[RealLayer, ...]
    output: str

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes by the layer's name, in the order of the layers."""
        return {layer.name: layer.shape for layer in self.layers}


def cut_into_layers(graph: nir.NIRGraph, dt: float) -> RealNetwork:
    """Cut a graph into layers, with feedback delayed by a time step.

    Args:
        dt: seconds per time step.

    Raises:
        GraphError: the graph is not a valid NIR graph.
        LoweringError: a node, or the way in which nodes are connected, is not supported.
    """
    flat = flatten(graph)
    found: dict[str, RealLayer] = {}
    for name, node in flat.nodes.items():
        if isinstance(node, NEURONS):
            found[name] = _layer(flat, name, _shape(name, node), read_neuron(name, node, dt), dt)
        elif not isinstance(node, (*_LINEAR, nir.Input, nir.Output)):
            raise LoweringError(
                f"node {name!r} ({type(node).__name__}) is not supported; Stochi lowers {SUPPORTED}"
            )
    read = flat.before[flat.output]
    if not read:
        raise GraphError("the graph's input does not lead to its output: nothing feeds the output")
    if len(read) == 1 and read[0] in found:
        output = read[0]
    else:
        shape = _shape(flat.output, flat.nodes[flat.output])
        readout = _layer(flat, flat.output, shape, None, dt)
        nodes = {path.weight_node for path in readout.projections}
        output = nodes.pop() if len(nodes) == 1 and "" not in nodes else "readout"
        found[output] = replace(readout, name=output)
    names = order_layers(list(found), lambda name: [p.source for p in found[name].projections])
    layers = tuple(_delay_feedback(found[name], names) for name in names)
    return RealNetwork(_shape(flat.input, flat.nodes[flat.input]), layers, output)


_LINEAR = (
    *(nir.Linear, nir.Affine, nir.Conv2d, nir.Scale),
    *(nir.AvgPool2d, nir.SumPool2d, nir.Flatten, nir.Delay),
)


def _layer(
    flat: FlatGraph, name: str, shape: tuple[int, ...], neuron: RealNeuron | None, dt: float
) -> RealLayer:
    paths = _paths_into(flat, name, (name,))
    if not paths:
        raise LoweringError(f"layer {name!r}: nothing feeds it")
    bias = np.zeros(1)
    counted: set[tuple[str, ...]] = set()
    projections = []
    for path in paths:
        walk = _Walk(flat, path[0], dt)
        for node in path[1:-1]:
            walk.add(node)
        projections.append(walk.close())
        # A bias belongs to its weights, however many sources those have.
        from_weights = path[path.index(walk.weight_node) :] if walk.weight_node else path
        if from_weights not in counted:
            counted.add(from_weights)
            bias = bias + walk.bias * _ways(flat, from_weights)
    return RealLayer(name, shape, tuple(projections), bias, neuron)


def _ways(flat: FlatGraph, path: tuple[str, ...]) -> int:
    """Count the connections along a path: two if a second one runs through an inner graph."""
    return math.prod(flat.before[b].count(a) for a, b in pairwise(path))


def _paths_into(flat: FlatGraph, name: str, after: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Find all paths from a source (the input or a neuron) over linear nodes to a layer.

    Args:
        name: the node where the search starts, backwards.
        after: the path from that node to the layer, both included.
    """
    paths: list[tuple[str, ...]] = []
    for before in flat.before[name]:
        node = flat.nodes[before]
        if isinstance(node, (*NEURONS, nir.Input)):
            paths.append((before, *after))
        elif before in after:
            raise LoweringError(f"node {before!r} feeds itself with no neuron in between")
        else:
            further = _paths_into(flat, before, (before, *after))
            if not further:
                raise GraphError(f"nothing feeds node {before!r}")
            paths += further
    return paths


@dataclass
class _Walk:
    """The projection of one path, built node by node.

    Attributes:
        first: name of the source's node.
        bias: bias that the path adds to the layer, (1,) or (outputs,).
        stages, weight_node, weight, pooled, summed: as in :class:`RealProjection`, so far.
    """

    flat: FlatGraph
    first: str
    dt: float
    stages: list[Stage] = field(default_factory=list)
    weight_node: str = ""
    weight: np.ndarray = field(default_factory=lambda: np.zeros(0))
    bias: np.ndarray = field(default_factory=lambda: np.zeros(1))
    pooled: int = 1
    summed: int = 1

    def __post_init__(self) -> None:
        self.shape = self.source_shape = _shape(self.first, self.flat.nodes[self.first])
        self.delay = np.zeros((), np.int32)

    def add(self, name: str) -> None:
        """Add the next node of the path."""
        node = self.flat.nodes[name]
        after = _shape(name, node)
        if isinstance(node, nir.Delay):
            self._add_delay(name, node)
            return
        if isinstance(node, nir.Flatten):
            self._add_flatten(name, after)
        elif isinstance(node, nir.AvgPool2d | nir.SumPool2d):
            self._add_pooling(name, node)
        else:
            self._add_weights(name, node)
        self.shape = after

    def close(self) -> RealProjection:
        """Return the projection; a path without weights is a direct connection of weight 1."""
        if not self.weight_node:
            self.stages.append(OneToOne(np.zeros(0, np.int16)))
            self.weight = np.ones(())
        source = INPUT if isinstance(self.flat.nodes[self.first], nir.Input) else self.first
        return RealProjection(
            source,
            tuple(self.stages),
            self.weight_node,
            self.weight,
            self.pooled,
            self.summed,
            self.delay,
        )

    def _add_flatten(self, name: str, after: tuple[int, ...]) -> None:
        if len(after) != 1:
            raise LoweringError(f"node {name!r}: it flattens to {after}; flatten to one dimension")
        if len(self.shape) > 1 and np.any(self.bias):
            self.bias = np.repeat(self.bias, after[0] // len(self.bias))
        self.stages.append(Flatten())

    def _add_delay(self, name: str, node: nir.Delay) -> None:
        if np.any(self.bias):
            raise LoweringError(
                f"node {name!r}: it delays a bias; put the delay before the weights"
            )
        steps = to_steps(name, "delay", node.delay, self.dt)
        if np.all(steps == steps.flat[0]):
            self.delay = np.asarray(self.delay + steps.flat[0], np.int32)
        elif all(isinstance(stage, Flatten) for stage in self.stages):
            self.delay = np.asarray(self.delay + steps.reshape(self.source_shape), np.int32)
        else:
            raise LoweringError(
                f"node {name!r}: its delays differ between neurons, after weights or pooling; a"
                " chip delays axons, so put the delays directly after the neurons"
            )

    def _add_pooling(self, name: str, node: nir.AvgPool2d | nir.SumPool2d) -> None:
        kernel, stride, padding = (_pair(v) for v in (node.kernel_size, node.stride, node.padding))
        if any(padding) and np.any(self.bias):
            raise LoweringError(
                f"node {name!r}: padded pooling after weights with a bias gives edge neurons a"
                " different bias; pool without padding"
            )
        self.stages.append(SumPool(kernel, stride, padding))
        size = kernel[0] * kernel[1]
        self.summed *= size
        if isinstance(node, nir.AvgPool2d):
            self.pooled *= size
        else:
            self.bias = self.bias * size

    def _add_weights(self, name: str, node: nir.NIRNode) -> None:
        if self.weight_node:
            raise LoweringError(
                f"node {name!r}: it follows {self.weight_node!r} with no neuron between them; add a"
                " spiking layer, or multiply the two sets of weights into one"
            )
        self.weight_node = name
        empty = np.zeros(0, np.int16)
        if isinstance(node, nir.Scale):
            self.weight = np.asarray(node.scale, dtype=np.float64)
            self.stages.append(OneToOne(empty))
            return
        self.weight = np.asarray(node.weight, dtype=np.float64)
        bias = getattr(node, "bias", None)
        self.bias = np.zeros(len(self.weight)) if bias is None else np.asarray(bias, np.float64)
        if not isinstance(node, nir.Conv2d):
            if self.weight.ndim != 2:
                raise LoweringError(
                    f"node {name!r}: its weights have {self.weight.ndim} dimensions, not 2"
                )
            if self.shape != self.weight.shape[1:]:
                raise LoweringError(
                    f"node {name!r}: its weights take {self.weight.shape[1]} inputs, but its input"
                    f" has shape {self.shape}"
                )
            self.stages.append(Dense(empty))
            return
        groups = int(node.groups)
        noted = node.metadata.get("groups", 1) if isinstance(node.metadata, dict) else 1
        if groups == 1 and int(noted) > 1:
            groups = int(noted)
            self.weight = _regroup(name, self.weight, groups)
        channels = groups * self.weight.shape[1]
        if len(self.shape) != 3 or self.shape[0] != channels:
            raise LoweringError(
                f"node {name!r}: its kernels in {groups} groups take {channels} channels, but its"
                f" input has shape {self.shape}"
            )
        self.stages.append(
            Convolution(
                empty, _pair(node.stride), _padding(name, node), _pair(node.dilation), groups
            )
        )


def _delay_feedback(layer: RealLayer, order: list[str]) -> RealLayer:
    """Delay the spikes of later layers, and of the layer itself, by at least one time step."""
    place = order.index(layer.name)
    projections = tuple(
        replace(path, delay=np.asarray(np.maximum(path.delay, 1), np.int32))
        if path.source in order and order.index(path.source) >= place
        else path
        for path in layer.projections
    )
    return replace(layer, projections=projections)


def _regroup(name: str, weight: np.ndarray, groups: int) -> np.ndarray:
    """Undo the export's ungrouping; raise LoweringError unless the weights dropped are zeros."""
    outputs, inputs = weight.shape[0] // groups, weight.shape[1] // groups
    blocks = [
        weight[g * outputs : (g + 1) * outputs, g * inputs : (g + 1) * inputs]
        for g in range(groups)
    ]
    grouped = np.concatenate(blocks)
    if np.count_nonzero(grouped) != np.count_nonzero(weight):
        raise LoweringError(
            f"node {name!r}: its metadata notes {groups} groups, but its weights connect different"
            " groups"
        )
    return grouped


def _padding(name: str, node: nir.Conv2d) -> tuple[int, int]:
    if not isinstance(node.padding, str):
        return _pair(node.padding)
    if node.padding == "valid":
        return (0, 0)
    totals = [d * (k - 1) for d, k in zip(_pair(node.dilation), node.weight.shape[2:], strict=True)]
    if any(total % 2 for total in totals):
        raise LoweringError(
            f"node {name!r}: padding 'same' with an even kernel pads two sides unequally; choose"
            " the padding as numbers"
        )
    return (totals[0] // 2, totals[1] // 2)


def _pair(value: object) -> tuple[int, int]:
    first, second = np.broadcast_to(np.asarray(value), 2)
    return int(first), int(second)


def _shape(name: str, node: nir.NIRNode) -> tuple[int, ...]:
    shape = next(iter(node.output_type.values()))
    if shape is None:
        raise GraphError(f"node {name!r} has no shape; run graph.infer_types() before saving it")
    return tuple(int(size) for size in np.atleast_1d(shape))
