"""Exact integer synapses: sums that no floating-point unit can round.

Integer sums run in floating-point matrix products only while every partial sum is exact, in any
order: in float32 while ``Σ|w|·max|x| < 2²⁴``, else in float64 (below 2⁵³, which the lowering
checks). Convolutions gather their inputs and multiply; algorithms that transform (Winograd, FFT)
are not exact and are never asked for. Nor is TF32 or bf16: where a user has allowed those for
float32 products, float64 is used.
"""

from typing import Any

import torch
from torch.nn import functional

EXACT_SUM_LIMIT = 2**53
FLOAT32_SUM_LIMIT = 2**24
_GATHERED_ELEMENTS = 2**24
"""At most so many gathered inputs at a time, 64 MiB of float32."""


def exact_linear(inputs: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """(batch, in) int64 and (out, in) int64 → (batch, out) int64."""
    dtype = _exact_dtype(inputs, weight)
    return (inputs.to(dtype) @ weight.to(dtype).T).long()


def exact_conv2d(
    inputs: torch.Tensor,
    weight: torch.Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> torch.Tensor:
    """(batch, C, H, W) int64 and (O, C/groups, kH, kW) int64 → (batch, O, H', W') int64."""
    batch, _, *sizes = inputs.shape
    outputs, _, *kernel = weight.shape
    dtype = _exact_dtype(inputs, weight)
    rows = weight.to(dtype).view(groups, outputs // groups, -1)
    height, width = (
        (size + 2 * pad - spread * (side - 1) - 1) // hop + 1
        for size, pad, spread, side, hop in zip(
            sizes, padding, dilation, kernel, stride, strict=True
        )
    )
    gathered = groups * rows.shape[2] * height * width
    parts = []
    for part in inputs.split(max(1, _GATHERED_ELEMENTS // gathered)):
        columns = functional.unfold(
            part.to(dtype), (kernel[0], kernel[1]), dilation, padding, stride
        )
        summed = rows @ columns.view(len(part), groups, rows.shape[2], -1)
        parts.append(summed.reshape(len(part), outputs, height, width).long())
    return torch.cat(parts) if batch else inputs.new_zeros((0, outputs, height, width))


def exact_sum_pool2d(
    inputs: torch.Tensor,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> torch.Tensor:
    """(batch, C, H, W) int64 → (batch, C, H', W') int64, zeros outside, sums not means."""
    padded = functional.pad(inputs.double(), (padding[1], padding[1], padding[0], padding[0]))
    return functional.avg_pool2d(padded, kernel, stride, divisor_override=1).long()


def _exact_dtype(inputs: torch.Tensor, weight: torch.Tensor) -> torch.dtype:
    """The narrowest float in which no partial sum of these products can be rounded."""
    if not weight.numel() or not inputs.numel():
        return torch.float64
    bound = int(weight.abs().flatten(1).sum(1).max()) * int(inputs.abs().max())
    narrow = bound < FLOAT32_SUM_LIMIT and _float32_is_float32()
    return torch.float32 if narrow else torch.float64


def _float32_is_float32() -> bool:
    """Whether torch multiplies float32 as such; older switches show in these settings too."""
    backends: Any = torch.backends
    settings = (backends.mkldnn.matmul.fp32_precision, backends.cuda.matmul.fp32_precision)
    return all(setting in ("none", "ieee") for setting in settings)
