"""A NIR graph cut into layers: synapses up to a neuron, still in real numbers.

A layer is what the chip has: neurons, and every path of linear nodes that leads to them from the
input or from other neurons. Each path has one set of weights, with pooling before or after it.
Both the lowering and the hardware-aware training start from here.
"""

import math
from dataclasses import dataclass, field, replace
from itertools import pairwise

import nir
import numpy as np

from stochi.deploy.flat_graph import FlatGraph, flatten
from stochi.deploy.layer_order import order_layers
from stochi.deploy.program import INPUT, Convolution, Dense, Flatten, OneToOne, Stage, SumPool
from stochi.deploy.real_neurons import NEURONS, RealNeuron, read_neuron, to_steps
from stochi.errors import GraphError, LoweringError

SUPPORTED = (
    "Input, Output, Linear, Affine, Conv2d, Scale, AvgPool2d, SumPool2d, Flatten, Delay, LIF, IF,"
    " CubaLIF, LI, CubaLI and I"
)


@dataclass(frozen=True)
class RealSynapses:
    """Like :class:`stochi.deploy.program.Synapses`, before quantization.

    Attributes:
        stages: shapes only, their weights are empty.
        weight_node: the name of the node that holds the weights; "" for a direct connection.
        weight: real.
        pooled: by how much pooling divides (the product of the averaging windows' sizes).
        summed: the product of all pooling windows' sizes.
        delay: in steps, int32, scalar or of the source's shape.
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
    """Like :class:`stochi.deploy.program.Layer`, before quantization.

    Attributes:
        bias: (outputs,), of all paths together.
        neuron: None for a readout of the input's mean, an integrator.
    """

    name: str
    shape: tuple[int, ...]
    synapses: tuple[RealSynapses, ...]
    bias: np.ndarray
    neuron: RealNeuron | None


@dataclass(frozen=True)
class RealNetwork:
    """Layers in the order of a step; ``output``: the name of the one that is read."""

    input_shape: tuple[int, ...]
    layers: tuple[RealLayer, ...]
    output: str

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The layers' shapes by name, in their order."""
        return {layer.name: layer.shape for layer in self.layers}


def cut_into_layers(graph: nir.NIRGraph, dt: float) -> RealNetwork:
    """Find every layer of a graph, with feedback delayed by a step.

    Raises:
        GraphError: the graph is no valid NIR graph.
        LoweringError: a node, or the way they are connected, is not supported.
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
        nodes = {path.weight_node for path in readout.synapses}
        output = nodes.pop() if len(nodes) == 1 and "" not in nodes else "readout"
        found[output] = replace(readout, name=output)
    names = order_layers(list(found), lambda name: [p.source for p in found[name].synapses])
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
    synapses = []
    for path in paths:
        walk = _Walk(flat, path[0], dt)
        for node in path[1:-1]:
            walk.add(node)
        synapses.append(walk.close())
        # A bias belongs to its weights, however many sources those have.
        from_weights = path[path.index(walk.weight_node) :] if walk.weight_node else path
        if from_weights not in counted:
            counted.add(from_weights)
            bias = bias + walk.bias * _ways(flat, from_weights)
    return RealLayer(name, shape, tuple(synapses), bias, neuron)


def _ways(flat: FlatGraph, path: tuple[str, ...]) -> int:
    """How often the nodes are connected in a row: twice if also through a node that passes on."""
    return math.prod(flat.before[b].count(a) for a, b in pairwise(path))


def _paths_into(flat: FlatGraph, name: str, after: tuple[str, ...]) -> list[tuple[str, ...]]:
    """All ways from a source (the input or a neuron) over linear nodes to the end of ``after``."""
    paths: list[tuple[str, ...]] = []
    for before in flat.before[name]:
        node = flat.nodes[before]
        if isinstance(node, (*NEURONS, nir.Input)):
            paths.append((before, *after))
        elif before in after:
            raise LoweringError(f"node {before!r} feeds itself with no neuron between")
        else:
            further = _paths_into(flat, before, (before, *after))
            if not further:
                raise GraphError(f"node {before!r} is fed by nothing")
            paths += further
    return paths


@dataclass
class _Walk:
    """What one path adds up to, node by node."""

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

    def close(self) -> RealSynapses:
        if not self.weight_node:
            self.stages.append(OneToOne(np.zeros(0, np.int16)))
            self.weight = np.ones(())
        source = INPUT if isinstance(self.flat.nodes[self.first], nir.Input) else self.first
        return RealSynapses(
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
            raise LoweringError(f"node {name!r}: flattens to {after}; flatten to one dimension")
        if len(self.shape) > 1 and np.any(self.bias):
            self.bias = np.repeat(self.bias, after[0] // len(self.bias))
        self.stages.append(Flatten())

    def _add_delay(self, name: str, node: nir.Delay) -> None:
        if np.any(self.bias):
            raise LoweringError(f"node {name!r}: delays a bias; put the delay before the weights")
        steps = to_steps(name, "delay", node.delay, self.dt)
        if np.all(steps == steps.flat[0]):
            self.delay = np.asarray(self.delay + steps.flat[0], np.int32)
        elif all(isinstance(stage, Flatten) for stage in self.stages):
            self.delay = np.asarray(self.delay + steps.reshape(self.source_shape), np.int32)
        else:
            raise LoweringError(
                f"node {name!r}: delays that differ between neurons after weights or pooling; a"
                " chip delays axons, so put them straight after the neurons"
            )

    def _add_pooling(self, name: str, node: nir.AvgPool2d | nir.SumPool2d) -> None:
        kernel, stride, padding = (_pair(v) for v in (node.kernel_size, node.stride, node.padding))
        if any(padding) and np.any(self.bias):
            raise LoweringError(
                f"node {name!r}: padded pooling after a layer with a bias gives edge neurons"
                " another bias; pool without padding"
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
                f"node {name!r}: follows {self.weight_node!r} with no neuron between them; add a"
                " spiking layer, or multiply the two into one"
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
                raise LoweringError(f"node {name!r}: weights of {self.weight.ndim} dimensions")
            if self.shape != self.weight.shape[1:]:
                raise LoweringError(
                    f"node {name!r}: its weights take {self.weight.shape[1]} inputs, but values of"
                    f" shape {self.shape} arrive"
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
                f"node {name!r}: its kernels in {groups} groups take {channels} channels, but"
                f" values of shape {self.shape} arrive"
            )
        self.stages.append(
            Convolution(
                empty, _pair(node.stride), _padding(name, node), _pair(node.dilation), groups
            )
        )


def _delay_feedback(layer: RealLayer, order: list[str]) -> RealLayer:
    """Spikes of a later layer, or of the layer itself, take a step at least."""
    place = order.index(layer.name)
    synapses = tuple(
        replace(path, delay=np.asarray(np.maximum(path.delay, 1), np.int32))
        if path.source in order and order.index(path.source) >= place
        else path
        for path in layer.synapses
    )
    return replace(layer, synapses=synapses)


def _regroup(name: str, weight: np.ndarray, groups: int) -> np.ndarray:
    """Undo the export's ungrouping; the zeros are checked, not assumed."""
    outputs, inputs = weight.shape[0] // groups, weight.shape[1] // groups
    blocks = [
        weight[g * outputs : (g + 1) * outputs, g * inputs : (g + 1) * inputs]
        for g in range(groups)
    ]
    grouped = np.concatenate(blocks)
    if np.count_nonzero(grouped) != np.count_nonzero(weight):
        raise LoweringError(f"node {name!r}: its metadata says {groups} groups, its weights do not")
    return grouped


def _padding(name: str, node: nir.Conv2d) -> tuple[int, int]:
    if not isinstance(node.padding, str):
        return _pair(node.padding)
    if node.padding == "valid":
        return (0, 0)
    totals = [d * (k - 1) for d, k in zip(_pair(node.dilation), node.weight.shape[2:], strict=True)]
    if any(total % 2 for total in totals):
        raise LoweringError(f"node {name!r}: padding 'same' with an even kernel pads unevenly")
    return (totals[0] // 2, totals[1] // 2)


def _pair(value: object) -> tuple[int, int]:
    first, second = np.broadcast_to(np.asarray(value), 2)
    return int(first), int(second)


def _shape(name: str, node: nir.NIRNode) -> tuple[int, ...]:
    shape = next(iter(node.output_type.values()))
    if shape is None:
        raise GraphError(f"node {name!r} has no shape; run graph.infer_types() before saving it")
    return tuple(int(size) for size in np.atleast_1d(shape))
