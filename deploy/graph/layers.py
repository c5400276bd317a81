"""A NIR graph cut into layers: neurons and the projections that feed them, in real numbers.

A layer has the form that the chip has: neurons, and every path of linear nodes that leads to them
from the input or from other neurons. Each path has one set of weights, with pooling before or after
it. The lowering and the twin both start from these layers.
"""

from dataclasses import dataclass, replace

import nir
import numpy as np

from stochi.deploy.graph.neurons import RealNeuron, read_neuron
from stochi.deploy.graph.paths import RealProjection, Walk
from stochi.deploy.graph.readout import find_over_time, find_reads
from stochi.deploy.graph.wiring import WiredLayer, Wiring, wire
from stochi.program.layers import INPUT


@dataclass(frozen=True)
class RealLayer:
    """A layer before quantization; see :class:`stochi.program.layers.Layer`.

    Attributes:
        name: the neuron's name in the graph (a readout has its weights' name).
        shape: shape of the neurons.
        projections: every input of the layer.
        bias: sum of the biases of all paths, of shape (1,), (channels,) or ``shape``.
        neuron: the neurons; None for integrators, whose input is read.
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
        over_time: how it is read over time, "mean" or "last".
    """

    input_shape: tuple[int, ...]
    layers: tuple[RealLayer, ...]
    output: str
    over_time: str

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes by the layer's name, in the order of the layers."""
        return {layer.name: layer.shape for layer in self.layers}


def cut_into_layers(graph: nir.NIRGraph, dt: float) -> RealNetwork:
    """Cut a graph into layers, with feedback delayed by a time step.

    The graph's metadata may hold ``"reads"``, what is read of an output that spikes, and
    ``"readout"``, how it is read over time; see :mod:`stochi.deploy.graph.readout`.

    Args:
        dt: seconds per time step.

    Raises:
        GraphError: the graph is not a valid NIR graph.
        LoweringError: a node, or the way in which nodes are connected, is not supported.
    """
    wiring, reads = wire(graph, dt), find_reads(graph)
    layers = []
    for wired in wiring.layers:
        layer = read_layer(wiring, wired, dt)
        layers.append(_noting_what_is_read(layer, reads) if wired.name == wiring.output else layer)
    return RealNetwork(wiring.input_shape, tuple(layers), wiring.output, find_over_time(graph))


def _noting_what_is_read(layer: RealLayer, reads: str) -> RealLayer:
    if reads == "spikes" or layer.neuron is None or layer.neuron.threshold is None:
        return layer
    return replace(layer, neuron=replace(layer.neuron, membrane_is_read=True))


def read_layer(wiring: Wiring, wired: WiredLayer, dt: float) -> RealLayer:
    """Return a layer in real numbers.

    Args:
        wiring: the graph's layers and nodes.
        wired: one of the layers.
        dt: seconds per time step.

    Raises:
        GraphError, LoweringError: as for :func:`cut_into_layers`.
    """
    neuron = None
    if wired.node:
        neuron = read_neuron(wired.name, wiring.nodes[wired.node], dt, wired.shape)
    shapes = {layer.name: layer.shape for layer in wiring.layers} | {INPUT: wiring.input_shape}
    bias = np.zeros(1)
    projections = []
    for path in wired.paths:
        walk = Walk(wiring.nodes, wiring.shapes, path, shapes[path.source])
        for node in path.nodes:
            walk.add(node)
        projections.append(walk.close())
        counts = dict(zip(path.nodes, path.biases, strict=True))
        for node, added in walk.biases.items():
            if counts[node]:
                bias = bias + added * counts[node]
    return RealLayer(wired.name, wired.shape, tuple(projections), bias, neuron)
