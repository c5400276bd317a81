"""A NIR graph cut into layers: synapses up to a neuron, still in real numbers.

A layer is what the chip has: one set of weights, pooling before or after it, and the neurons
that it feeds. Both the lowering and the hardware-aware training start from here.
"""

from dataclasses import dataclass

import nir
import numpy as np

from stochi.deploy.program import Convolution, Dense, Flatten, Stage, SumPool
from stochi.errors import GraphError, LoweringError
from stochi.random_tau_metadata import RandomTau, read_random_tau

SUPPORTED = "Input, Output, Linear, Affine, Conv2d, AvgPool2d, SumPool2d, Flatten and LIF"


@dataclass(frozen=True)
class RealNeuron:
    """``v := λ·v + gain·I``; arrays float64, scalar () where all neurons share the value.

    ``random`` is set where λ is drawn, and λ is then the mean.
    """

    decay: np.ndarray
    gain: np.ndarray
    threshold: np.ndarray
    random: RandomTau | None


@dataclass(frozen=True)
class RealLayer:
    """Like :class:`stochi.deploy.program.Layer`, before quantization.

    Attributes:
        weight_node: the name of the node that holds the weights.
        weight, bias: real; the stages hold shapes only (their weights are empty).
        pooled: by how much pooling divides (the product of the averaging windows' sizes).
        summed: the product of all pooling windows' sizes.
        neuron: None for the readout, an integrator.
    """

    name: str
    source: str
    shape: tuple[int, ...]
    stages: tuple[Stage, ...]
    weight_node: str
    weight: np.ndarray
    bias: np.ndarray
    pooled: int
    summed: int
    neuron: RealNeuron | None


def cut_into_layers(graph: nir.NIRGraph, dt: float) -> list[RealLayer]:
    """Walk from the graph's input to its output.

    Raises:
        GraphError: the graph is no valid NIR graph.
        LoweringError: a node, or the way they are connected, is not supported.
    """
    chain = _chain(graph)
    layers: list[RealLayer] = []
    source, pending = "input", _Pending()
    for name in chain:
        node = graph.nodes[name]
        shape = _shape(name, node, "output")
        if isinstance(node, nir.LIF):
            neuron = _neuron(name, node, dt)
            layers.append(pending.close(name, source, shape, neuron))
            source, pending = name, _Pending()
        else:
            pending.add(name, node, shape)
    if pending.stages:
        readout = pending.weight_node or "readout"
        layers.append(pending.close(readout, source, pending.shape, None))
    if not layers:
        raise LoweringError("the graph has no layers between its input and its output")
    if layers[-1].neuron is None and isinstance(layers[-1].stages[-1], SumPool):
        raise LoweringError(
            f"layer {layers[-1].name!r}: pooling after the last weights; pool before them"
        )
    return layers


class _Pending:
    """The stages seen since the last neuron."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self.shape: tuple[int, ...] = ()
        self.weight_node = ""
        self.weight = np.zeros(0)
        self.bias = np.zeros(0)
        self.pooled = self.summed = 1

    def add(self, name: str, node: nir.NIRNode, shape: tuple[int, ...]) -> None:
        self.shape = shape
        if isinstance(node, nir.Flatten):
            if len(shape) != 1:
                raise LoweringError(f"node {name!r}: flattens to {shape}; flatten to one dimension")
            self.stages.append(Flatten())
        elif isinstance(node, nir.AvgPool2d | nir.SumPool2d):
            self._add_pooling(name, node)
        elif isinstance(node, nir.Linear | nir.Affine | nir.Conv2d):
            self._add_weights(name, node)
        else:
            raise LoweringError(
                f"node {name!r} ({type(node).__name__}) is not supported; Stochi lowers {SUPPORTED}"
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
        elif np.any(self.bias):
            raise LoweringError(
                f"node {name!r}: sum pooling after a bias multiplies it; use average pooling"
            )

    def _add_weights(self, name: str, node: nir.Linear | nir.Affine | nir.Conv2d) -> None:
        if self.weight_node:
            raise LoweringError(
                f"node {name!r}: follows {self.weight_node!r} with no neuron between them; add a"
                " spiking layer, or multiply the two into one"
            )
        self.weight_node = name
        self.weight = np.asarray(node.weight, dtype=np.float64)
        bias = getattr(node, "bias", None)
        self.bias = np.zeros(len(self.weight)) if bias is None else np.asarray(bias, np.float64)
        empty = np.zeros(0, np.int16)
        if not isinstance(node, nir.Conv2d):
            if self.weight.ndim != 2:
                raise LoweringError(f"node {name!r}: weights of {self.weight.ndim} dimensions")
            self.stages.append(Dense(empty))
            return
        groups = int(node.groups)
        noted = node.metadata.get("groups", 1) if isinstance(node.metadata, dict) else 1
        if groups == 1 and int(noted) > 1:
            groups = int(noted)
            self.weight = _regroup(name, self.weight, groups)
        self.stages.append(
            Convolution(
                empty, _pair(node.stride), _padding(name, node), _pair(node.dilation), groups
            )
        )

    def close(
        self, name: str, source: str, shape: tuple[int, ...], neuron: RealNeuron | None
    ) -> RealLayer:
        if not self.weight_node:
            raise LoweringError(
                f"layer {name!r} has no weights between it and {source!r}; add a Linear or Conv2d"
                " layer before it"
            )
        return RealLayer(
            name,
            source,
            shape,
            tuple(self.stages),
            self.weight_node,
            self.weight,
            self.bias,
            self.pooled,
            self.summed,
            neuron,
        )


def _chain(graph: nir.NIRGraph) -> list[str]:
    """The nodes between input and output, in order; anything but a chain is refused."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise LoweringError(
            f"the graph has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; Stochi"
            " lowers graphs with one of each"
        )
    following: dict[str, str] = {}
    preceding: dict[str, str] = {}
    for before, after in graph.edges:
        if before in following or after in preceding:
            name, what = (before, "feeds") if before in following else (after, "is fed by")
            raise LoweringError(
                f"node {name!r} {what} several nodes; branches, residual and recurrent"
                " connections cannot be lowered yet"
            )
        following[before], preceding[after] = after, before
    name, end = next(iter(graph.inputs)), next(iter(graph.outputs))
    chain: list[str] = []
    while following.get(name) != end:
        if name not in following or len(chain) > len(graph.nodes):
            raise GraphError(f"the graph's input does not lead to its output: it ends at {name!r}")
        name = following[name]
        chain.append(name)
    return chain


def _neuron(name: str, node: nir.LIF, dt: float) -> RealNeuron:
    tau, r, leak, reset, threshold = (
        np.asarray(a, dtype=np.float64)
        for a in (node.tau, node.r, node.v_leak, node.v_reset, node.v_threshold)
    )
    for what, values in (("v_leak", leak), ("v_reset", reset)):
        if np.any(values != 0):
            raise LoweringError(
                f"neuron {name!r}: {what} is {values.flat[0]:g}; Loihi leaks and resets to 0, so"
                " shift threshold and bias by it"
            )
    decay = 1 - dt / tau
    if not np.all((decay >= 0) & (decay <= 1)):
        raise LoweringError(
            f"neuron {name!r}: tau {float(np.min(tau)):g} s with steps of {dt:g} s gives a decay"
            f" of {float(np.min(decay)):g}, outside [0, 1]; pass the dt it was trained with"
        )
    return RealNeuron(
        _one_if_equal(decay),
        _one_if_equal(r * dt / tau),
        _one_if_equal(threshold),
        read_random_tau(name, node),
    )


def _one_if_equal(values: np.ndarray) -> np.ndarray:
    """() where all values are one; τ and r of a graph give it back only up to rounding."""
    first = np.array(values.flat[0])
    return first if np.allclose(values, first, rtol=1e-9, atol=0) else values


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


def _shape(name: str, node: nir.NIRNode, side: str) -> tuple[int, ...]:
    types = node.output_type if side == "output" else node.input_type
    shape = next(iter(types.values()))
    if shape is None:
        raise GraphError(f"node {name!r} has no shape; run graph.infer_types() before saving it")
    return tuple(int(size) for size in np.atleast_1d(shape))
