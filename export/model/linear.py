"""The linear nodes of a graph as torch modules, their weights and biases as parameters."""

from typing import Any

import nir
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from stochi.deploy.graph.arrays import as_array, spread
from stochi.deploy.graph.paths import regroup
from stochi.deploy.graph.shapes import Shape, groups_of, padding_of, pair, two_axes
from stochi.errors import GraphError


class LinearNode(nn.Module):
    """A linear map, and a bias that is added as often as it is asked for.

    Args:
        bias: (outputs,), or None.
    """

    def __init__(self, bias: nn.Parameter | None = None) -> None:
        super().__init__()
        self.bias = bias

    def product(self, values: torch.Tensor) -> torch.Tensor:
        """Map (batch, …) values without the bias."""
        raise NotImplementedError

    def forward(self, values: torch.Tensor, biases: int = 1) -> torch.Tensor:
        """Map (batch, …) values and add the bias ``biases`` times."""
        result = self.product(values)
        if self.bias is None or not biases:
            return result
        return result + biases * self.bias.reshape((-1,) + (1,) * (result.dim() - 2))


class Matrix(LinearNode):
    """``nir.Linear`` or ``nir.Affine``: weight (outputs, inputs)."""

    def __init__(self, weight: nn.Parameter, bias: nn.Parameter | None) -> None:
        super().__init__(bias)
        self.weight = weight

    def product(self, values: torch.Tensor) -> torch.Tensor:
        """Map (batch, inputs) to (batch, outputs)."""
        return functional.linear(values, self.weight)


class Convolution(LinearNode):
    """``nir.Conv1d`` or ``nir.Conv2d``: weight (outputs, inputs / groups, *kernel)."""

    def __init__(self, weight: nn.Parameter, bias: nn.Parameter | None, geometry: Any) -> None:
        super().__init__(bias)
        self.weight, self.geometry = weight, geometry
        self.groups: int = geometry[-1]

    def product(self, values: torch.Tensor) -> torch.Tensor:
        """Map (batch, C, L) or (batch, C, H, W) to the outputs' positions."""
        convolve = functional.conv1d if self.weight.dim() == 3 else functional.conv2d
        found: torch.Tensor = convolve(values, self.weight, None, *self.geometry)
        return found


class Scale(LinearNode):
    """``nir.Scale``: a factor for each value."""

    def __init__(self, scale: nn.Parameter) -> None:
        super().__init__()
        self.scale = scale

    def product(self, values: torch.Tensor) -> torch.Tensor:
        """Multiply (batch, *shape) by the factors."""
        return values * self.scale


class Pool(LinearNode):
    """``nir.AvgPool2d`` or ``nir.SumPool2d``; zeros outside count."""

    def __init__(self, node: nir.AvgPool2d | nir.SumPool2d) -> None:
        super().__init__()
        self.window = tuple(pair(v) for v in (node.kernel_size, node.stride, node.padding))
        self.size = self.window[0][0] * self.window[0][1]
        self.divisor = 1 if isinstance(node, nir.SumPool2d) else self.size

    def product(self, values: torch.Tensor) -> torch.Tensor:
        """Map (batch, C, H, W) to the windows' means or sums."""
        kernel, stride, padding = self.window
        mean = functional.avg_pool2d(values, kernel, stride, padding)
        return mean if self.divisor == self.size else mean * self.size


class Reshape(LinearNode):
    """``nir.Flatten``."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def product(self, values: torch.Tensor) -> torch.Tensor:
        """Give (batch, …) values the node's shape."""
        return values.reshape(-1, *self.shape)


class Passing(LinearNode):
    """A node whose effect is elsewhere: delays act where the path takes its source's values."""

    def product(self, values: torch.Tensor) -> torch.Tensor:
        """Return the values."""
        return values


def linear_node(name: str, node: nir.NIRNode, shape: Shape, dtype: torch.dtype) -> LinearNode:
    """Return the module of a linear node, with parameters of the given type.

    Args:
        shape: shape of the node's output, without the batch.

    Raises:
        GraphError: the node is not linear.
        LoweringError: a parameter of the node does not fit its shape.
    """
    if isinstance(node, nir.Linear | nir.Affine):
        return Matrix(_parameter(node.weight, dtype), _bias(node, dtype))
    if isinstance(node, nir.Conv1d | nir.Conv2d):
        return _convolution(name, node, dtype)
    if isinstance(node, nir.Scale):
        scale = spread(name, "scale", as_array(node.scale), shape)
        return Scale(_parameter(scale, dtype))
    if isinstance(node, nir.AvgPool2d | nir.SumPool2d):
        return Pool(node)
    if isinstance(node, nir.Flatten):
        return Reshape(shape)
    if isinstance(node, nir.Delay):
        return Passing()
    raise GraphError(f"node {name!r} ({type(node).__name__}) cannot run as a torch module")


def _convolution(name: str, node: nir.Conv1d | nir.Conv2d, dtype: torch.dtype) -> Convolution:
    weight, groups = as_array(node.weight), groups_of(node)
    if groups > int(node.groups):
        weight = regroup(name, weight, groups)
    axes = weight.ndim - 2
    stride, padding, dilation = (
        sides[-axes:]
        for sides in (
            two_axes(node, node.stride, 1),
            padding_of(name, node),
            two_axes(node, node.dilation, 1),
        )
    )
    return Convolution(
        _parameter(weight, dtype), _bias(node, dtype), (stride, padding, dilation, groups)
    )


def _bias(node: Any, dtype: torch.dtype) -> nn.Parameter | None:
    bias = getattr(node, "bias", None)
    return None if bias is None else _parameter(bias, dtype)


def _parameter(values: Any, dtype: torch.dtype) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(np.array(as_array(values))).to(dtype))
