"""Weights that follow weights on a path, folded exactly (in float64) into one set.

The result must be what the chip has: fully connected weights, a convolution, or weights from one
neuron to one. Biases go through the later weights in :mod:`stochi.deploy.graph.paths`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional

from stochi.budget import check_memory, check_work
from stochi.errors import LoweringError
from stochi.program.layers import (
    Convolution,
    Dense,
    Flatten,
    OneToOne,
    Stage,
    SumPool,
    Weighted,
    as_image,
)

Change = Callable[[np.ndarray], np.ndarray]
Shape = tuple[int, ...]
LARGEST_PRODUCT = 2**28
"""Largest number of weights that a product may have."""
_CHUNK = 2**24


@dataclass(frozen=True)
class Weights:
    """The weights of a path so far.

    Attributes:
        node: name of the node that they come from, for errors.
        stages: linear steps in order, one of them with weights, which are empty there.
        weight: the weights.
        pooled, summed: as in :class:`stochi.deploy.graph.paths.RealProjection`.
    """

    node: str
    stages: tuple[Stage, ...]
    weight: np.ndarray
    pooled: int = 1
    summed: int = 1

    @property
    def place(self) -> int:
        """Number of the stage with weights."""
        return next(i for i, stage in enumerate(self.stages) if isinstance(stage, Weighted))

    @property
    def stage(self) -> Weighted:
        """The stage with weights."""
        stage = self.stages[self.place]
        assert isinstance(stage, Weighted)
        return stage

    @property
    def before(self) -> tuple[Stage, ...]:
        """The stages before the weights."""
        return self.stages[: self.place]

    @property
    def after(self) -> tuple[Stage, ...]:
        """The stages after the weights."""
        return self.stages[self.place + 1 :]


def scale_outputs(name: str, weights: Weights, shape: Shape, scale: np.ndarray) -> np.ndarray:
    """Return the weights with their outputs scaled.

    Args:
        name: name of the node that scales, for errors.
        shape: shape that the path gives before the scale.
        scale: factors of that shape.

    Raises:
        LoweringError: the product is not one set of weights of the same kind.
    """
    weight, first = weights.weight, scale.flat[0]
    if np.all(scale == first):
        return weight * first
    if isinstance(weights.stage, OneToOne) and not weights.after:
        return np.broadcast_to(weight, shape) * scale
    outputs = shape[0] if isinstance(weights.stage, OneToOne) else len(weight)
    by_output = scale.reshape(outputs, -1) if scale.size % outputs == 0 else scale.reshape(1, -1)
    if len(by_output) == outputs and np.all(by_output == by_output[:, :1]):
        dimensions = len(shape) if isinstance(weights.stage, OneToOne) else weight.ndim
        return weight * by_output[:, 0].reshape((-1,) + (1,) * (dimensions - 1))
    raise LoweringError(
        f"node {name!r}: it scales the neurons of a channel of {weights.node!r} differently, with"
        " no neuron between them, so the product is no convolution; scale by channel, or put a"
        " spiking layer between them"
    )


def multiply(name: str, weights: Weights, matrix: np.ndarray, source_shape: Shape) -> Weights:
    """Multiply weights, with what follows them on the path, by a matrix (outputs, inputs).

    Args:
        name: name of the node that holds the matrix, for errors.
        source_shape: shape of the path's source.

    Raises:
        LoweringError: the product has too many weights.
    """
    inputs = math.prod(source_shape)
    check_memory(8 * inputs * len(matrix), f"node {name!r}: its product", LoweringError)
    flat = all(isinstance(stage, Flatten) for stage in weights.after)
    dense = Dense(np.zeros(0, np.int16))
    if flat and isinstance(weights.stage, Dense):
        return replace(weights, stages=(*weights.before, dense), weight=matrix @ weights.weight)
    if flat and isinstance(weights.stage, OneToOne):
        return replace(
            weights,
            stages=(*weights.before, *weights.after, dense),
            weight=matrix * weights.weight.reshape(-1),
        )
    if inputs * len(matrix) > LARGEST_PRODUCT:
        raise LoweringError(
            f"node {name!r}: it follows {weights.node!r} with no neuron between them, and their"
            f" product would have {inputs * len(matrix):,} weights, more than"
            f" {LARGEST_PRODUCT:,}; put a spiking layer between them"
        )
    what = f"node {name!r}: the product with {weights.node!r}"
    check_memory(16 * inputs * matrix.shape[1], what, LoweringError)
    additions = matrix.shape[1] * (len(matrix) + math.prod(weights.weight.shape[1:]))
    check_work(inputs * additions, what, LoweringError)
    flatten = (Flatten(),) if len(source_shape) > 1 else ()
    product = matrix @ _as_matrix(weights, source_shape, matrix.shape[1])
    return Weights(weights.node, (*flatten, dense), product)


def convolve(
    name: str, weights: Weights, stage: Convolution, kernels: np.ndarray, biased: bool
) -> Weights:
    """Convolve the outputs of weights once more.

    Args:
        name: name of the node that convolves, for errors.
        stage: its geometry.
        kernels: its weights (outputs, inputs / groups, height, width).
        biased: whether the weights come with a bias, which zero padding would cut off at the edges.

    Raises:
        LoweringError: the product is not a convolution.
    """
    if isinstance(weights.stage, OneToOne):
        return _convolve_scaled(name, weights, stage, kernels)
    earlier = weights.stage
    if isinstance(earlier, Convolution) and not weights.after:
        whole = ungrouped(weights.weight, earlier.groups), ungrouped(kernels, stage.groups)
        first_is_point = _is_point(weights.weight) and earlier.stride == (1, 1)
        if _is_point(kernels) and not any(stage.padding):
            stride = (earlier.stride[0] * stage.stride[0], earlier.stride[1] * stage.stride[1])
            merged = replace(earlier, stride=stride, groups=1)
            product = np.einsum("om,mihw->oihw", whole[1][:, :, 0, 0], whole[0])
            return replace(weights, stages=(*weights.before, merged), weight=product)
        if first_is_point and not any(earlier.padding) and not (biased and any(stage.padding)):
            product = np.einsum("omhw,mi->oihw", whole[1], whole[0][:, :, 0, 0])
            merged = replace(stage, groups=1)
            return replace(weights, stages=(*weights.before, merged), weight=product)
    raise LoweringError(
        f"node {name!r}: it follows {weights.node!r} with no neuron between them; two convolutions"
        " are one only if one of them has 1×1 kernels, with no pooling between them and no bias"
        " that the second one's padding would cut off; put a spiking layer between them"
    )


def ungrouped(kernels: np.ndarray, groups: int) -> np.ndarray:
    """Return the kernels of a convolution without groups that computes the same."""
    if groups == 1:
        return kernels
    outputs, inputs = kernels.shape[:2]
    check_memory(8 * groups * kernels.size, "kernels without their groups", LoweringError)
    whole = np.zeros((outputs, inputs * groups, *kernels.shape[2:]), kernels.dtype)
    for g in range(groups):
        rows = slice(g * (outputs // groups), (g + 1) * (outputs // groups))
        whole[rows, g * inputs : (g + 1) * inputs] = kernels[rows]
    return whole


def _convolve_scaled(
    name: str, weights: Weights, stage: Convolution, kernels: np.ndarray
) -> Weights:
    """Take the scale of input channels, which pooling leaves as it is, into the kernels."""
    by_channel = weights.weight.reshape(len(weights.weight), -1)
    if not np.all(by_channel == by_channel[:, :1]):
        raise LoweringError(
            f"node {name!r}: {weights.node!r} scales the neurons of a channel differently, with no"
            " neuron between them, so the product is no convolution; scale by channel, or put a"
            " spiking layer between them"
        )
    scale = by_channel[:, 0].reshape(stage.groups, 1, -1, 1, 1)
    grouped = kernels.reshape(stage.groups, -1, *kernels.shape[1:])
    return replace(
        weights,
        stages=(*weights.before, *weights.after, stage),
        weight=(grouped * scale).reshape(kernels.shape),
    )


def _is_point(kernels: np.ndarray) -> bool:
    return kernels.shape[2:] == (1, 1)


def _as_matrix(weights: Weights, source_shape: Shape, outputs: int) -> np.ndarray:
    """Return weights and pooling as one matrix (outputs, inputs), with the means' divisors."""
    inputs = math.prod(source_shape)
    rows = max(1, _CHUNK // max(inputs, outputs))
    found = np.empty((inputs, outputs))
    for first in range(0, inputs, rows):
        count = min(rows, inputs - first)
        units = torch.zeros(count, inputs, dtype=torch.float64)
        units[torch.arange(count), torch.arange(first, first + count)] = 1
        values = units.reshape(count, *source_shape)
        for stage in weights.stages:
            values = _apply(stage, torch.from_numpy(np.array(weights.weight)), values)
        found[first : first + count] = values.flatten(1).numpy()
    return found.T / weights.pooled


def _apply(stage: Stage, weight: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    if isinstance(stage, Dense):
        return values @ weight.T
    if isinstance(stage, OneToOne):
        return values * weight
    if isinstance(stage, Flatten):
        return values.flatten(1)
    image = values.reshape(len(values), *as_image(tuple(values.shape[1:])))
    if isinstance(stage, SumPool):
        return functional.avg_pool2d(
            image, stage.kernel, stage.stride, stage.padding, divisor_override=1
        )
    sums = functional.conv2d(
        image, weight, None, stage.stride, stage.padding, stage.dilation, stage.groups
    )
    return sums.squeeze(2) if values.dim() == 3 else sums
