"""Exact integer synapses: sums that no floating-point unit can round.

Integer sums run in float64 matrix products, exact while every partial sum stays below 2⁵³;
TF32, bf16 and transforming convolutions (Winograd, FFT), which are not exact, do not exist for
float64 products, and cuDNN, which could choose one, is kept out.
"""

import torch
from torch.nn import functional

EXACT_SUM_LIMIT = 2**53


def exact_linear(inputs: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """(batch, in) int64 and (out, in) int64 → (batch, out) int64."""
    return (inputs.double() @ weight.double().T).long()


def exact_conv2d(
    inputs: torch.Tensor,
    weight: torch.Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> torch.Tensor:
    """(batch, C, H, W) int64 and (O, C/groups, kH, kW) int64 → (batch, O, H', W') int64."""
    with torch.backends.cudnn.flags(enabled=False):
        summed = functional.conv2d(
            inputs.double(), weight.double(), None, stride, padding, dilation, groups
        )
    return summed.long()


def exact_sum_pool2d(
    inputs: torch.Tensor,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> torch.Tensor:
    """(batch, C, H, W) int64 → (batch, C, H', W') int64, zeros outside, sums not means."""
    channels = inputs.shape[1]
    ones = torch.ones((channels, 1, *kernel), dtype=torch.int64, device=inputs.device)
    return exact_conv2d(inputs, ones, stride, padding, (1, 1), channels)
