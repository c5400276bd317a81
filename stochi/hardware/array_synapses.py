"""Exact integer synapses in numpy, for the Lava processes, which need no torch.

They give the integers of :mod:`stochi.hardware.synapses`: sums run as floating-point matrix
products in a type in which no partial sum is rounded. Convolutions gather their inputs.
"""

import numpy as np

from stochi.hardware.sums import FLOAT32_SUM_LIMIT

Pair = tuple[int, int]


def exact_array(weight: np.ndarray, largest_input: int, bound: float) -> np.ndarray:
    """Return integer weights in the narrowest float type in which no partial sum is rounded.

    Args:
        weight: (outputs, …) integers.
        largest_input: the largest integer that can arrive on one synapse, ≥ 0.
        bound: the weights' :func:`stochi.hardware.sums.partial_sum_bound`.
    """
    return weight.astype(np.float32 if bound * largest_input <= FLOAT32_SUM_LIMIT else np.float64)


def multiply(inputs: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Multiply (batch, in) integers by (out, in) from :func:`exact_array`; (batch, out) int32."""
    return (inputs.astype(weight.dtype) @ weight.T).astype(np.int32)


def convolve(
    inputs: np.ndarray,
    weight: np.ndarray,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """Convolve inputs with weights, as torch does, without a flipped kernel.

    Args:
        inputs: (batch, C, H, W) integers.
        weight: (O, C/groups, kH, kW) from :func:`exact_array`.

    Returns:
        (batch, O, H', W') int32.
    """
    seen = _windows(inputs.astype(weight.dtype), weight.shape[2:], stride, padding, dilation)
    height, width = seen.shape[2:4]
    rows = weight.reshape(groups, len(weight) // groups, -1)
    summed = np.empty((len(inputs), len(weight), height, width), np.int32)
    for sample, image in enumerate(seen):  # one at a time, since gathered inputs are large
        columns = image.transpose(0, 3, 4, 1, 2).reshape(groups, rows.shape[2], -1)
        summed[sample] = (rows @ columns).reshape(summed.shape[1:])
    return summed


def sum_pool(inputs: np.ndarray, kernel: Pair, stride: Pair, padding: Pair) -> np.ndarray:
    """Sum (batch, C, H, W) integers over windows, zeros outside; (batch, C, H', W') int32."""
    seen = _windows(inputs.astype(np.int32), kernel, stride, padding, (1, 1))
    return seen.sum((4, 5), dtype=np.int32)


def _windows(
    images: np.ndarray, kernel: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair
) -> np.ndarray:
    """Return a view of padded images, (batch, C, H', W', kH, kW)."""
    padded = np.pad(images, ((0, 0), (0, 0), *((pad, pad) for pad in padding)))
    spans = tuple(spread * (side - 1) + 1 for side, spread in zip(kernel, dilation, strict=True))
    seen = np.lib.stride_tricks.sliding_window_view(padded, spans, axis=(2, 3))
    return seen[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
