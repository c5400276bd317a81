"""Sums of a Program's projections in ONNX's integer operators, exact in every runtime.

A weight of the chip has 8 bits: even mantissas of both signs as halves from −128 to 127, mantissas
of one sign as magnitudes up to 255. Both are stored as bytes without sign, the halves from a zero
point of 128, since some processors' products of signed with unsigned bytes saturate at 16 bits.
What arrives is bytes, too; sums of pooled values above 255 are multiplied byte by byte.
``MatMulInteger`` and ``ConvInteger`` sum in 32 bits, which the rules of a Program never exceed.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import torch

from stochi.export.onnx.symbol import Shape, Symbol, constant, stored, write
from stochi.hardware.fixed_point import shift
from stochi.program.layers import (
    Convolution,
    Dense,
    Flatten,
    OneToOne,
    Projection,
    SumPool,
    as_image,
    shape_after,
)

HALF = 128
"""Zero point of the bytes that hold halves of even mantissas."""


class Bytes(NamedTuple):
    """Weights as bytes; the mantissas are ``factor · (values − zero)``."""

    values: np.ndarray
    zero: int
    factor: int


def as_bytes(weight: np.ndarray) -> Bytes:
    """Return mantissas of the chip's 8-bit weights as bytes without sign."""
    if not np.any(weight & 1) and weight.min() >= -2 * HALF and weight.max() < 2 * HALF:
        return Bytes((weight // 2 + HALF).astype(np.uint8), HALF, 2)
    factor = 1 if weight.max() > 0 else -1
    return Bytes((factor * weight).astype(np.uint8), 0, factor)


def projection_sums(
    projection: Projection, name: str, values: Symbol, shape: tuple[int, ...], largest: int
) -> Symbol:
    """Write a projection; return its sums, shifted by its exponent, (batch, *layer's shape) int32.

    Args:
        name: name of the weights in the file.
        values: (batch, *shape) uint8, what arrives.
        shape: shape of the source.
        largest: the largest value that may arrive.
    """
    factor = 1
    for stage in projection.stages:
        after = shape_after(stage, shape)
        assert after is not None
        if isinstance(stage, Dense | Convolution):
            values, factor = _products(stage, name, values, largest, after)
        elif isinstance(stage, OneToOne):
            values = values.to(torch.int32) * stored(
                values.body, name, stage.weight.astype(np.int32)
            )
        elif isinstance(stage, SumPool):
            values = _pooled(values.to(torch.int32), stage, after)
        else:
            assert isinstance(stage, Flatten)
            values = values.reshape(-1, *after)
        if isinstance(stage, SumPool):
            largest *= math.prod(stage.kernel)
        shape = after
    if factor < 0:
        values = 0 - values
    exponent = projection.weight_exponent + (factor == 2)
    found: Any = shift(values, exponent)
    assert isinstance(found, Symbol)
    return found


def _products(
    stage: Dense | Convolution, name: str, values: Symbol, largest: int, after: tuple[int, ...]
) -> tuple[Symbol, int]:
    """Write products with bytes of weights; return them and the factor that they lack."""
    weight = as_bytes(stage.weight)
    summed: Symbol | None = None
    for place in range(max(1, -(-largest.bit_length() // 8))):
        part = values
        if largest > 255:
            part = (values >> 8 * place & 255).to(torch.uint8)
        products = _product(stage, weight, name, part.to(torch.uint8), after) << 8 * place
        summed = products if summed is None else summed + products
    assert summed is not None
    return summed, weight.factor


def _product(
    stage: Dense | Convolution, weight: Bytes, name: str, values: Symbol, after: tuple[int, ...]
) -> Symbol:
    if isinstance(stage, Dense):
        return _integer_product("MatMulInteger", values, name, weight, weight.values.T, after)
    image = as_image(tuple(size for size in values.shape[1:] if size is not None))
    if len(values.shape) == 3:
        values = values.reshape(-1, *image)
    outputs = after if len(after) == 3 else (after[0], 1, after[1])
    sums = _integer_product(
        "ConvInteger",
        values,
        name,
        weight,
        weight.values,
        outputs,
        strides=stage.stride,
        pads=(*stage.padding, *stage.padding),
        dilations=stage.dilation,
        group=stage.groups,
        kernel_shape=stage.weight.shape[2:],
    )
    return sums if outputs == after else sums.reshape(-1, *after)


def _integer_product(
    op: str,
    values: Symbol,
    name: str,
    weight: Bytes,
    stored_values: np.ndarray,
    after: Shape,
    **attributes: Any,
) -> Symbol:
    body = values.body
    inputs = [values.name, body.array(name, np.ascontiguousarray(stored_values))]
    if weight.zero:
        inputs += ["", constant(values, weight.zero, torch.uint8).name]
    (made,) = body.emit(op, inputs, **attributes)
    return Symbol(body, made, torch.int32, (None, *after))


def _pooled(values: Symbol, stage: SumPool, after: tuple[int, ...]) -> Symbol:
    """Write sums over windows: over rows, then over columns, each as a sum of slices."""
    if any(stage.padding):
        pads = np.array([0, 0, *stage.padding] * 2, np.int64)
        sizes = [n + 2 * pad for n, pad in zip(values.shape[2:], stage.padding, strict=True)]  # type: ignore[operator]
        values = write(
            "Pad",
            [values, constant(values, pads)],
            shape=(*values.shape[:2], *sizes),
            mode="constant",
        )
    for axis, side, hop, count in zip((2, 3), stage.kernel, stage.stride, after[1:], strict=True):
        shape = (*values.shape[:axis], count, *values.shape[axis + 1 :])
        parts = [
            _every(values, axis, start, start + hop * (count - 1) + 1, hop, shape)
            for start in range(side)
        ]
        values = parts[0]
        for part in parts[1:]:
            values = values + part
    return values


def _every(values: Symbol, axis: int, start: int, end: int, hop: int, shape: Shape) -> Symbol:
    """Write the slice from start to end, every hop-th value of an axis."""
    bounds = [constant(values, np.array([number], np.int64)) for number in (start, end, axis, hop)]
    return write("Slice", [values, *bounds], shape=shape)
