"""One path of linear nodes, from the input or a neuron to a neuron, as a projection.

A projection has one set of weights, with pooling before or after it. Further weights on the path
are folded into them, by :mod:`stochi.deploy.graph.folding`.
"""

from dataclasses import dataclass, field

import nir
import numpy as np

from stochi.deploy.graph import folding
from stochi.deploy.graph.arrays import as_array, spread
from stochi.deploy.graph.shapes import (
    Shape,
    groups_of,
    padding_of,
    pair,
    two_axes,
)
from stochi.deploy.graph.wiring import Path
from stochi.errors import LoweringError
from stochi.program.layers import (
    Convolution,
    Dense,
    Flatten,
    OneToOne,
    Stage,
    SumPool,
)


@dataclass(frozen=True)
class RealProjection:
    """A projection before quantization; see :class:`stochi.program.layers.Projection`.

    Attributes:
        source: ``"input"`` or a layer's name.
        stages: linear steps in order; their weights are empty.
        weight_node: name of the node that holds the weights, the last one that is not a Scale if
            several were folded; "" for a direct connection.
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


@dataclass
class Walk:
    """The projection of one path, built node by node.

    Attributes:
        nodes: nodes by name.
        shapes: shapes of their outputs.
        path: the path.
        source_shape: shape of what its source sends.
        biases: what each node's bias adds to the layer, (1,) or (outputs,), by the node's name.
        stages, weight_node, weight, pooled, summed: as in :class:`RealProjection`, so far.
        shape: shape of what the path gives, so far.
    """

    nodes: dict[str, nir.NIRNode]
    shapes: dict[str, Shape]
    path: Path
    source_shape: Shape
    stages: list[Stage] = field(default_factory=list)
    weight_node: str = ""
    weight: np.ndarray = field(default_factory=lambda: np.zeros(0))
    biases: dict[str, np.ndarray] = field(default_factory=dict)
    pooled: int = 1
    summed: int = 1

    def __post_init__(self) -> None:
        self.shape = self.source_shape

    def add(self, name: str) -> None:
        """Add the next node of the path."""
        node = self.nodes[name]
        if isinstance(node, nir.Delay):
            return  # the wiring has it
        if isinstance(node, nir.Flatten):
            self._add_flatten(name, self.shapes[name])
        elif isinstance(node, nir.AvgPool2d | nir.SumPool2d):
            self._add_pooling(name, node)
        elif isinstance(node, nir.Scale):
            self._add_scale(name, node)
        elif isinstance(node, nir.Linear | nir.Affine):
            self._add_dense(name, node)
        else:
            self._add_convolution(name, node)
        self.shape = self.shapes[name]

    def close(self) -> RealProjection:
        """Return the projection; a path without weights is a direct connection of weight 1."""
        if not self.weight_node:
            self.stages.append(OneToOne(_EMPTY))
            self.weight = np.ones(())
        return RealProjection(
            self.path.source,
            tuple(self.stages),
            self.weight_node,
            self.weight,
            self.pooled,
            self.summed,
            self.path.delay,
        )

    @property
    def _biased(self) -> bool:
        return any(np.any(bias) for bias in self.biases.values())

    def _each_bias(self, change: folding.Change) -> None:
        self.biases = {node: change(bias) for node, bias in self.biases.items()}

    def _add_flatten(self, name: str, after: Shape) -> None:
        if len(after) != 1:
            raise LoweringError(
                f"node {name!r}: it flattens {self.shape} to {after}; flatten to one dimension"
                " (start_dim=0)"
            )
        if len(self.shape) > 1 and self._biased:
            self._each_bias(lambda bias: np.repeat(bias, after[0] // len(bias)))
        self.stages.append(Flatten())

    def _add_pooling(self, name: str, node: nir.AvgPool2d | nir.SumPool2d) -> None:
        kernel, stride, padding = (pair(v) for v in (node.kernel_size, node.stride, node.padding))
        if any(padding) and self._biased:
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
            self._each_bias(lambda bias: bias * size)

    def _add_scale(self, name: str, node: nir.Scale) -> None:
        scale = np.array(spread(name, "scale", as_array(node.scale), self.shape))
        if not self.weight_node:
            self.weight_node, self.weight = name, scale
            self.stages.append(OneToOne(_EMPTY))
            return
        self.weight = folding.scale_outputs(name, self._weights(), self.shape, scale)
        # A scale that differs within a channel is refused unless each neuron is one.
        by_channel = scale.reshape(len(scale), -1)[:, 0]
        self._each_bias(lambda bias: bias * by_channel if np.any(bias) else bias)

    def _add_dense(self, name: str, node: nir.NIRNode) -> None:
        weight = as_array(node.weight)
        if self.weight_node:
            folded = folding.multiply(name, self._weights(), weight, self.source_shape)
            self._each_bias(lambda bias: weight @ np.broadcast_to(bias, self.shape))
            self.stages, weight = list(folded.stages), folded.weight
            self.pooled, self.summed = folded.pooled, folded.summed
        else:
            self.stages.append(Dense(_EMPTY))
        self._take(name, weight, getattr(node, "bias", None))

    def _add_convolution(self, name: str, node: nir.Conv1d | nir.Conv2d) -> None:
        weight = as_array(node.weight)
        if isinstance(node, nir.Conv1d):
            weight = weight[:, :, None]
        groups = groups_of(node)
        if groups > int(node.groups):
            weight = regroup(name, weight, groups)
        stage = Convolution(
            _EMPTY,
            two_axes(node, node.stride, 1),
            padding_of(name, node),
            two_axes(node, node.dilation, 1),
            groups,
        )
        if self.weight_node:
            kernel_sums = folding.ungrouped(weight, groups).sum((2, 3))
            folded = folding.convolve(name, self._weights(), stage, weight, self._biased)
            self._each_bias(lambda bias: kernel_sums @ np.broadcast_to(bias, self.shape[:1]))
            self.stages, weight = list(folded.stages), folded.weight
        else:
            self.stages.append(stage)
        self._take(name, weight, node.bias)

    def _take(self, name: str, weight: np.ndarray, bias: object) -> None:
        """Take a node's weights, which hold those before them, and its bias."""
        self.weight_node, self.weight = name, weight
        self.biases[name] = np.zeros(len(weight)) if bias is None else as_array(bias).reshape(-1)

    def _weights(self) -> folding.Weights:
        return folding.Weights(
            self.weight_node, tuple(self.stages), self.weight, self.pooled, self.summed
        )


_EMPTY = np.zeros(0, np.int16)


def regroup(name: str, weight: np.ndarray, groups: int) -> np.ndarray:
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
