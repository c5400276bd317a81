"""Exact integer synapses, whose sums no floating-point unit can round.

Integer sums run as floating-point matrix products only if every partial sum is exact in any order:
in float32 if they stay below 2²⁴, otherwise in float64 (the rules of a Program keep them below
2²⁵). Convolutions gather their inputs and multiply; algorithms that transform (Winograd, FFT) are
not exact and are never used. Neither is TF32 or bf16: if the user has allowed them for float32
products, float64 is used.
"""

from typing import Any

import torch
from torch.nn import functional

from stochi.hardware.sums import FLOAT32_SUM_LIMIT, partial_sum_bound, windows

_GATHERED_ELEMENTS = 2**24
"""Largest number of inputs gathered at a time, 64 MiB of float32."""


def exact_weight(
    weight: torch.Tensor, largest_input: int, bound: float | None = None
) -> torch.Tensor:
    """Return integer weights in the narrowest float type in which no partial sum is rounded.

    Args:
        weight: (outputs, …) integers.
        largest_input: the largest integer that can arrive on one synapse, ≥ 0.
        bound: the weights' :func:`partial_sum_bound`, if it is known.
    """
    bound = partial_sum_bound(weight) if bound is None else bound
    narrow = bound * largest_input <= FLOAT32_SUM_LIMIT and _float32_is_float32()
    return weight.to(torch.float32 if narrow else torch.float64)


def exact_linear(inputs: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Multiply inputs by weights exactly.

    Args:
        inputs: (batch, in) integers.
        weight: (out, in) from :func:`exact_weight`.

    Returns:
        (batch, out) int32.
    """
    return (inputs.to(weight.dtype) @ weight.T).int()


def exact_conv2d(
    inputs: torch.Tensor,
    weight: torch.Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> torch.Tensor:
    """Convolve inputs with weights exactly.

    Args:
        inputs: (batch, C, H, W) integers.
        weight: (O, C/groups, kH, kW) from :func:`exact_weight`.

    Returns:
        (batch, O, H', W') int32.
    """
    batch, _, *sizes = inputs.shape
    outputs, _, *kernel = weight.shape
    height, width = windows(sizes, kernel, stride, padding, dilation)
    gathered = groups * weight[0].numel() * height * width
    parts = [
        _gather_and_multiply(part.to(weight.dtype), weight, stride, padding, dilation, groups)
        for part in inputs.split(max(1, _GATHERED_ELEMENTS // gathered))
    ]
    if not batch:
        return inputs.new_zeros((0, outputs, height, width), dtype=torch.int32)
    return torch.cat(parts) if len(parts) > 1 else parts[0]


def _gather_and_multiply(
    inputs: torch.Tensor,
    weight: torch.Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> torch.Tensor:
    outputs, _, *kernel = weight.shape
    if inputs.device.type == "cpu" and groups == 1 and dilation == (1, 1):
        # This kernel of torch gathers too; conv2d may choose a transforming one, by shape.
        return torch.ops.aten._slow_conv2d_forward(
            inputs, weight, kernel, None, stride, padding
        ).int()
    height, width = windows(inputs.shape[2:], kernel, stride, padding, dilation)
    rows = weight.reshape(groups, outputs // groups, -1)
    columns = functional.unfold(inputs, (kernel[0], kernel[1]), dilation, padding, stride)
    summed = rows @ columns.view(len(inputs), groups, rows.shape[2], -1)
    return summed.reshape(len(inputs), outputs, height, width).int()


def exact_sum_pool2d(
    inputs: torch.Tensor,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> torch.Tensor:
    """Sum inputs over pooling windows exactly, with zeros outside the image.

    Args:
        inputs: (batch, C, H, W) integers.

    Returns:
        (batch, C, H', W') int32, sums rather than means.
    """
    padded = functional.pad(inputs.double(), (padding[1], padding[1], padding[0], padding[0]))
    return functional.avg_pool2d(padded, kernel, stride, divisor_override=1).int()


def _float32_is_float32() -> bool:
    """Return whether torch multiplies float32 without a narrower type.

    Torch's older switches change these settings too.
    """
    backends: Any = torch.backends
    settings = (backends.mkldnn.matmul.fp32_precision, backends.cuda.matmul.fp32_precision)
    return all(setting in ("none", "ieee") for setting in settings)
