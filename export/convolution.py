"""Conversion of a torch Conv2d to a NIR Conv2d whose shapes NIR's own type check accepts.

NIR 1.0.8 takes a kernel's height for both of its sides, and ``weight.shape[1]`` for the number of
input channels. Square kernels with ungrouped weights are written unchanged. Others are written as
the equal convolution that is square and ungrouped, with zeros for the added weights. The metadata
keeps the number of groups, for a lowering that saves the zeros.
"""

import nir
import numpy as np
from torch import nn

from stochi.errors import ExportError


def to_nir_conv2d(name: str, layer: nn.Conv2d, input_shape: tuple[int, ...]) -> nir.Conv2d:
    """Convert a layer.

    Args:
        name: the layer's name, for errors.
        layer: the layer.
        input_shape: (C, H, W).

    Raises:
        ExportError: the layer pads with other values than zeros, or NIR cannot describe its kernel
            or padding.
    """
    if layer.padding_mode != "zeros":
        raise ExportError(
            f"layer {name!r}: padding_mode={layer.padding_mode!r}; a chip pads with zeros only"
        )
    weight = layer.weight.detach().cpu().numpy()
    stride, dilation = layer.stride, layer.dilation
    before, after = _padding(layer)
    weight, before, after = _make_symmetric(name, weight, before, after, dilation)
    weight, padding = _make_square(name, weight, before, dilation)
    groups = layer.groups
    bias = np.zeros(weight.shape[0], weight.dtype)
    if layer.bias is not None:
        bias = layer.bias.detach().cpu().numpy()
    return nir.Conv2d(
        input_shape=tuple(input_shape[1:]),
        weight=_ungroup(weight, groups),
        stride=tuple(stride),
        padding=padding,
        dilation=tuple(dilation),
        groups=1,
        bias=bias,
        metadata={"groups": groups} if groups > 1 else {},
    )


def _padding(layer: nn.Conv2d) -> tuple[list[int], list[int]]:
    """Return the zeros before and after each axis; with 'same', torch puts an odd one after."""
    if layer.padding == "valid":
        return [0, 0], [0, 0]
    if layer.padding == "same":
        totals = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        return [total // 2 for total in totals], [total - total // 2 for total in totals]
    return list(layer.padding), list(layer.padding)  # type: ignore[arg-type]


def _make_symmetric(
    name: str,
    weight: np.ndarray,
    before: list[int],
    after: list[int],
    dilation: tuple[int, ...],
) -> tuple[np.ndarray, list[int], list[int]]:
    """Turn paddings (p, p + 1) into (p + 1, p + 1), with one more zero in front of the kernel."""
    for axis in range(2):
        if before[axis] == after[axis]:
            continue
        if dilation[axis] != 1:
            raise ExportError(
                f"layer {name!r}: padding='same' with an even kernel and dilation pads unevenly;"
                " use an odd kernel"
            )
        widths = [(0, 0)] * 4
        widths[2 + axis] = (1, 0)
        weight = np.pad(weight, widths)
        before[axis] = after[axis]
    return weight, before, after


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


def _ungroup(weight: np.ndarray, groups: int) -> np.ndarray:
    if groups == 1:
        return weight
    outputs, inputs = weight.shape[0] // groups, weight.shape[1]
    full = np.zeros((weight.shape[0], inputs * groups, *weight.shape[2:]), weight.dtype)
    for group in range(groups):
        rows = slice(group * outputs, (group + 1) * outputs)
        full[rows, group * inputs : (group + 1) * inputs] = weight[rows]
    return full
