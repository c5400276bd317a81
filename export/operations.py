"""Linear operations between neurons, as values that can be compared, applied and combined.

An operation works on frames (batch, *shape). A path from one layer of neurons to another is a tuple
of operations. Biases are not part of it: they are constants of the sum of all paths.
"""

import hashlib
import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch.nn import functional

from stochi.deploy.graph import folding

Shape = tuple[int, ...]
Key = tuple[Hashable, ...]


def digest(array: np.ndarray | None) -> str:
    """Return a short text that is equal for equal arrays."""
    if array is None:
        return ""
    values = np.ascontiguousarray(array)
    return hashlib.blake2b(
        values.tobytes() + str((values.shape, values.dtype)).encode(), digest_size=12
    ).hexdigest()


@dataclass(frozen=True, eq=False)
class Operation:
    """A linear operation.

    Attributes:
        label: name of the module that computes it, for the graph; "" if it has none.
        input_shape, output_shape: shapes without the batch.
    """

    label: str
    input_shape: Shape
    output_shape: Shape

    @property
    def key(self) -> Key:
        """Equal for two operations that compute the same."""
        raise NotImplementedError

    def apply(self, frames: torch.Tensor) -> torch.Tensor:
        """Map frames (batch, *input_shape), float64, to (batch, *output_shape)."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Weights(Operation):
    """Linear or convolution weights, with factors that are folded into them.

    Attributes:
        weight: (outputs, inputs) or (out channels, in channels / groups, *kernel), as in the model.
        stride, before, after, dilation: per axis of the kernel; zeros are padded ``before`` and
            ``after``. Empty for linear weights.
        groups: groups of a convolution.
        biased: whether the layer has a bias in the model, even one of zeros.
        rows, columns: factors of outputs and inputs, float64; None for 1.
        parameter: name of the model's parameter that holds the weights; "" if they are computed.
        hashed: digest of ``weight``, if it is known already.
        received: the constant part of the signal that the weights receive; None for zero.
    """

    weight: np.ndarray = field(repr=False)
    stride: Shape = ()
    before: Shape = ()
    after: Shape = ()
    dilation: Shape = ()
    groups: int = 1
    biased: bool = False
    rows: np.ndarray | None = None
    columns: np.ndarray | None = None
    parameter: str = ""
    hashed: str = ""
    received: np.ndarray | None = field(default=None, repr=False)

    @property
    def key(self) -> Key:
        options = (self.stride, self.before, self.after, self.dilation, self.groups)
        weight = self.hashed or digest(self.weight)
        return ("weights", self.label, weight, options, digest(self.rows), digest(self.columns))

    @property
    def effective(self) -> np.ndarray:
        """The weights with their factors, computed in float64, in the model's type."""
        if self.rows is None and self.columns is None:
            return self.weight
        weight = self.weight.astype(np.float64)
        tail = (1,) * (weight.ndim - 2)
        if self.rows is not None:
            weight = weight * self.rows.reshape(-1, 1, *tail)
        if self.columns is not None:
            inputs = weight.shape[1]
            per_group = self.columns.reshape(self.groups, 1, inputs, *tail)
            weight = (weight.reshape(self.groups, -1, *weight.shape[1:]) * per_group).reshape(
                weight.shape
            )
        return weight.astype(self.weight.dtype)

    def ungrouped(self) -> "Weights":
        """Return the same convolution with one group, with zeros between the groups."""
        if self.groups == 1:
            return self
        return replace(
            self, weight=folding.ungrouped(self.weight, self.groups), groups=1, hashed=""
        )

    def scaled_rows(self, factor: np.ndarray) -> "Weights":
        """Return the weights with their outputs scaled by a factor (outputs,) or ()."""
        rows = np.broadcast_to(np.asarray(factor, np.float64), self.output_shape[:1])
        return replace(self, rows=rows if self.rows is None else self.rows * rows)

    def scaled_columns(self, factor: np.ndarray) -> "Weights":
        """Return the weights with their inputs scaled by a factor (inputs,) or ()."""
        columns = np.broadcast_to(np.asarray(factor, np.float64), self.input_shape[:1])
        columns = columns if self.columns is None else self.columns * columns
        return replace(self, columns=columns, received=None)

    def apply(self, frames: torch.Tensor) -> torch.Tensor:
        weight = torch.from_numpy(np.ascontiguousarray(self.effective)).double()
        if not self.stride:
            return frames @ weight.T
        padding = [
            n for pair in zip(self.before[::-1], self.after[::-1], strict=True) for n in pair
        ]
        convolve = functional.conv2d if len(self.stride) == 2 else functional.conv1d
        return convolve(
            functional.pad(frames, padding),
            weight,
            None,
            self.stride,
            0,
            self.dilation,
            self.groups,
        )


@dataclass(frozen=True, eq=False)
class Pool(Operation):
    """Average or sum pooling in two dimensions; padded zeros count."""

    kernel: Shape
    stride: Shape
    padding: Shape
    average: bool = True

    @property
    def key(self) -> Key:
        return ("pool", self.kernel, self.stride, self.padding, self.average, self.input_shape)

    def apply(self, frames: torch.Tensor) -> torch.Tensor:
        mean = functional.avg_pool2d(frames, self.kernel, self.stride, self.padding)
        return mean if self.average else mean * math.prod(self.kernel)


@dataclass(frozen=True, eq=False)
class Flatten(Operation):
    """Flattening of a frame to one dimension."""

    @property
    def key(self) -> Key:
        return ("flatten", self.input_shape)

    def apply(self, frames: torch.Tensor) -> torch.Tensor:
        return frames.flatten(1)


@dataclass(frozen=True, eq=False)
class Reshape(Operation):
    """Another shape for the same values in the same order."""

    @property
    def key(self) -> Key:
        return ("reshape", self.input_shape, self.output_shape)

    def apply(self, frames: torch.Tensor) -> torch.Tensor:
        return frames.reshape(len(frames), *self.output_shape)


@dataclass(frozen=True, eq=False)
class Scale(Operation):
    """Multiplication by constants, of a shape that broadcasts to the frame's."""

    factor: np.ndarray

    @property
    def key(self) -> Key:
        return ("scale", digest(self.factor), self.input_shape)

    def apply(self, frames: torch.Tensor) -> torch.Tensor:
        return frames * torch.from_numpy(np.array(self.factor, np.float64))


@dataclass(frozen=True, eq=False)
class Place(Operation):
    """Placement among zeros along the first axis: one part of a concatenation."""

    start: int

    @property
    def key(self) -> Key:
        return ("place", self.start, self.input_shape, self.output_shape)

    def apply(self, frames: torch.Tensor) -> torch.Tensor:
        result = frames.new_zeros(len(frames), *self.output_shape)
        result[:, self.start : self.start + self.input_shape[0]] = frames
        return result


@dataclass(frozen=True, eq=False)
class Pick(Operation):
    """Selection of a range along the first axis, the converse of :class:`Place`."""

    start: int

    @property
    def key(self) -> Key:
        return ("pick", self.start, self.input_shape, self.output_shape)

    def apply(self, frames: torch.Tensor) -> torch.Tensor:
        return frames[:, self.start : self.start + self.output_shape[0]]


@dataclass(frozen=True, eq=False)
class Rearrange(Operation):
    """Any other linear operation, which only dense weights can express.

    Attributes:
        signature: text that is equal for equal operations.
        compute: function from frames (batch, *input_shape) to (batch, *output_shape).
        what: name of the function, for errors.
    """

    signature: str = ""
    compute: Callable[[torch.Tensor], torch.Tensor] = field(repr=False, default=lambda x: x)
    what: str = ""

    @property
    def key(self) -> Key:
        return ("rearrange", self.label, self.signature, self.input_shape, self.output_shape)

    def apply(self, frames: torch.Tensor) -> torch.Tensor:
        return self.compute(frames)


def path_matrix(path: tuple[Operation, ...], input_shape: Shape, output_shape: Shape) -> np.ndarray:
    """Return a path as one matrix (outputs, inputs), float64."""
    size = math.prod(input_shape)
    result = np.zeros((math.prod(output_shape), size))
    chunk = 256
    for start in range(0, size, chunk):
        stop = min(start + chunk, size)
        frames = torch.zeros(stop - start, size, dtype=torch.float64)
        frames[torch.arange(stop - start), torch.arange(start, stop)] = 1
        frames = frames.reshape(-1, *input_shape)
        for operation in path:
            frames = operation.apply(frames)
        result[:, start:stop] = frames.reshape(stop - start, -1).numpy().T
    return result
