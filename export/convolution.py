"""Weights as NIR nodes whose shapes NIR's own type check accepts.

NIR 1.0.8 takes a kernel's height for both of its sides, and ``weight.shape[1]`` for the number of
input channels. Square kernels with ungrouped weights are written unchanged. Others are written as
the equal convolution that is square and ungrouped, with zeros for the added weights. The metadata
keeps the number of groups, for a lowering that saves the zeros.
"""

from typing import Any

import nir
import numpy as np

from stochi.deploy.graph.folding import ungrouped
from stochi.errors import ExportError
from stochi.export.operations import Weights


def to_nir_weights(name: str, layer: Weights, bias: np.ndarray | None) -> nir.NIRNode:
    """Convert weights.

    Args:
        name: the layer's name, for errors.
        layer: the weights.
        bias: (outputs,), or None for zeros.

    Raises:
        ExportError: NIR cannot describe the kernel or the padding.
    """
    weight = layer.effective
    if layer.stride and bias is None:
        bias = np.zeros(len(weight), weight.dtype)
    if bias is not None:
        bias = bias.astype(weight.dtype)
    if not layer.stride:
        if bias is None and not layer.biased:
            return nir.Linear(weight)
        return nir.Affine(weight, np.zeros(len(weight), weight.dtype) if bias is None else bias)
    before, after = list(layer.before), list(layer.after)
    weight, before = _make_symmetric(name, weight, before, after, layer.dilation)
    metadata: dict[str, Any] = {"groups": layer.groups} if layer.groups > 1 else {}
    if len(layer.stride) == 1:
        return nir.Conv1d(
            input_shape=layer.input_shape[1],
            weight=ungrouped(weight, layer.groups),
            stride=layer.stride[0],
            padding=before[0],
            dilation=layer.dilation[0],
            groups=1,
            bias=bias,
            metadata=metadata,
        )
    weight, padding = _make_square(name, weight, before, layer.dilation)
    return nir.Conv2d(
        input_shape=layer.input_shape[1:],
        weight=ungrouped(weight, layer.groups),
        stride=layer.stride,
        padding=padding,
        dilation=layer.dilation,
        groups=1,
        bias=bias,
        metadata=metadata,
    )


def _make_symmetric(
    name: str,
    weight: np.ndarray,
    before: list[int],
    after: list[int],
    dilation: tuple[int, ...],
) -> tuple[np.ndarray, list[int]]:
    """Turn paddings (p, p + 1) into (p + 1, p + 1), with one more zero in front of the kernel."""
    for axis in range(len(before)):
        if before[axis] == after[axis]:
            continue
        if dilation[axis] != 1:
            raise ExportError(
                f"layer {name!r}: padding='same' with an even kernel and dilation pads unevenly;"
                " use an odd kernel"
            )
        widths = [(0, 0)] * weight.ndim
        widths[2 + axis] = (1, 0)
        weight = np.pad(weight, widths)
        before[axis] = after[axis]
    return weight, before


def _make_square(
    name: str, weight: np.ndarray, padding: list[int], dilation: tuple[int, ...]
) -> tuple[np.ndarray, tuple[int, int]]:
    padding = list(padding)
    size = max(weight.shape[2:])
    for axis in range(2):
        missing = size - weight.shape[2 + axis]
        if missing % 2:
            raise ExportError(
                f"layer {name!r}: NIR cannot describe a kernel of {weight.shape[2:]}, whose sides"
                " differ by an odd number; pad its weights with a row of zeros"
            )
        widths = [(0, 0)] * 4
        widths[2 + axis] = (missing // 2, missing // 2)
        weight = np.pad(weight, widths)
        padding[axis] += dilation[axis] * (missing // 2)
    return weight, (padding[0], padding[1])
