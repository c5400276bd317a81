"""What torch's functions write if they are called with values of an ONNX graph."""

from collections.abc import Callable
from typing import Any

import torch

from stochi.export.onnx.symbol import Symbol, binary, constant, write

Call = Callable[..., Symbol]


def _linear(values: Symbol, weight: torch.Tensor, bias: None = None) -> Symbol:
    given = [values, constant(values, weight)]
    return write("Gemm", given, shape=(None, len(weight)), transB=1)


def _convolve(
    values: Symbol,
    weight: torch.Tensor,
    bias: None,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
) -> Symbol:
    kernel = tuple(weight.shape[2:])
    sizes = _windows(values.shape[2:], kernel, stride, padding, dilation)
    return write(
        "Conv",
        [values, constant(values, weight)],
        shape=(None, len(weight), *sizes),
        kernel_shape=kernel,
        strides=stride,
        pads=(*padding, *padding),
        dilations=dilation,
        group=groups,
    )


def _average(
    values: Symbol, kernel: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...]
) -> Symbol:
    sizes = _windows(values.shape[2:], kernel, stride, padding, (1,) * len(kernel))
    return write(
        "AveragePool",
        [values],
        shape=(*values.shape[:2], *sizes),
        kernel_shape=kernel,
        strides=stride,
        pads=(*padding, *padding),
        count_include_pad=1,
    )


def _windows(sizes: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> tuple[int, ...]:
    axes = zip(sizes, kernel, stride, padding, dilation, strict=True)
    return tuple((n + 2 * pad - far * (k - 1) - 1) // hop + 1 for n, k, hop, pad, far in axes)


def _where(condition: Symbol, left: Symbol, right: Symbol) -> Symbol:
    return write("Where", [condition, left, right], left.dtype)


def _stack(values: list[Symbol], dim: int) -> Symbol:
    assert dim == -1
    last = len(values[0].shape)
    shape = values[0].shape
    raised = [
        write("Unsqueeze", [value, constant(value, torch.tensor([last]), torch.int64)], shape=shape)
        for value in values
    ]
    return write("Concat", raised, shape=(*shape, len(values)), axis=last)


def _take(values: torch.Tensor, places: Symbol) -> Symbol:
    given = constant(places, values, values.dtype)
    return write("Gather", [given, places], shape=places.shape)


def _single(op: str) -> Call:
    return lambda value: write(op, [value])


def _reflected(op: str) -> Call:
    return lambda left, right: binary(op, left, right)


CALLS: dict[str, Call] = {
    "linear": _linear,
    "conv1d": _convolve,
    "conv2d": _convolve,
    "avg_pool2d": _average,
    "where": _where,
    "stack": _stack,
    "take": _take,
    "zeros_like": lambda value: value * 0.0,
    **{name.lower(): _single(name) for name in ("Sigmoid", "Log", "Sqrt", "Sin", "Cos")},
    **{name: _reflected(op) for name, op in (("add", "Add"), ("sub", "Sub"), ("mul", "Mul"))},
    **{name: _reflected(op) for name, op in (("div", "Div"), ("gt", "Greater"))},
    "rsub": lambda left, right: binary("Sub", right, left),
}
"""Torch's function by its name → what writes it."""
