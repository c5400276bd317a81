"""Exact integer synapses: sums that no floating-point unit can round.

Integer sums run in floating-point matrix products only while every partial sum is exact, in any
order: in float32 while they stay below 2²⁴, else in float64 (a Program's are below 2²⁵, by its
rules). Convolutions gather their inputs and multiply; algorithms that transform (Winograd, FFT)
are not exact and are never asked for. Nor is TF32 or bf16: where a user has allowed those for
float32 products, float64 is used.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

FLOAT32_SUM_LIMIT = 2**24
_GATHERED_ELEMENTS = 2**24
"""At most so many gathered inputs at a time, 64 MiB of float32."""


def partial_sum_bound(weight: torch.Tensor) -> float:
    """What no partial sum of integer weights (outputs, …) times inputs of at most 1 exceeds, in
    units of what floats must resolve.

    Inputs are never negative, so every partial sum lies between that of the negative and that of
    the positive weights; sums of even weights are even, so their unit is 2.
    """
    if not weight.numel():
        return 0.0
    rows = weight.flatten(1)
    bound = int(torch.maximum(rows.clip(min=0).sum(1), -rows.clip(max=0).sum(1)).max())
    return bound / (1 if bool((weight & 1).any()) else 2)


def exact_weight(
    weight: torch.Tensor, largest_input: int, bound: float | None = None
) -> torch.Tensor:
    """Integer weights (outputs, …) in the narrowest float in which no partial sum is rounded.

    Args:
        largest_input: the largest number that can arrive on one synapse, ≥ 0.
        bound: the weights' :func:`partial_sum_bound`, where it is known.
    """
    bound = partial_sum_bound(weight) if bound is None else bound
    narrow = bound * largest_input <= FLOAT32_SUM_LIMIT and _float32_is_float32()
    return weight.to(torch.float32 if narrow else torch.float64)


def exact_linear(inputs: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """(batch, in) integers and (out, in) from :func:`exact_weight` → (batch, out) int32."""
    return (inputs.to(weight.dtype) @ weight.T).int()


def exact_conv2d(
    inputs: torch.Tensor,
    weight: torch.Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> torch.Tensor:
    """(batch, C, H, W) integers and (O, C/groups, kH, kW) from :func:`exact_weight`
    → (batch, O, H', W') int32."""
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
        # torch's own of that kind; conv2d would choose by shape, and ask for others too.
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
    """(batch, C, H, W) integers → (batch, C, H', W') int32, zeros outside, sums not means."""
    padded = functional.pad(inputs.double(), (padding[1], padding[1], padding[0], padding[0]))
    return functional.avg_pool2d(padded, kernel, stride, divisor_override=1).int()


def _float32_is_float32() -> bool:
    """Whether torch multiplies float32 as such; older switches show in these settings too."""
    backends: Any = torch.backends
    settings = (backends.mkldnn.matmul.fp32_precision, backends.cuda.matmul.fp32_precision)
    return all(setting in ("none", "ieee") for setting in settings)


def windows(
    sizes: Sequence[int],
    kernel: Sequence[int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> tuple[int, int]:
    """How many windows of a convolution or pooling fit, (height, width)."""
    height, width = (
        (size + 2 * pad - spread * (side - 1) - 1) // hop + 1
        for size, pad, spread, side, hop in zip(
            sizes, padding, dilation, kernel, stride, strict=True
        )
    )
    return height, width
