"""Values of an ONNX graph that compute like tensors, and write a node for each operation.

The functions of ``stochi.hardware`` and of ``export/model`` use operators common to arrays and
tensors. Called with these values they write themselves into the graph: the arithmetic of an ONNX
model is not written a second time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from onnx import TensorProto

from stochi.errors import ExportError
from stochi.export.onnx.body import Body

ONNX_TYPES = {
    torch.bool: TensorProto.BOOL,
    torch.uint8: TensorProto.UINT8,
    torch.int32: TensorProto.INT32,
    torch.int64: TensorProto.INT64,
    torch.uint64: TensorProto.UINT64,
    torch.float32: TensorProto.FLOAT,
    torch.float64: TensorProto.DOUBLE,
}
_UNSIGNED = (torch.uint8, torch.uint64)
_BITS = {torch.int32: 32, torch.int64: 64}
SMALL = 64
"""Largest number of values of a constant that stands among a function's nodes."""

Shape = tuple[int | None, ...]
"""Sizes; None is the number of samples."""


class Symbol:
    """A value of a graph.

    Attributes:
        body: the graph or function that it belongs to.
        name: its name there.
        dtype: its type.
        shape: its sizes.
    """

    __array_ufunc__ = None  # an array on the left leaves the operation to the value

    def __init__(self, body: Body, name: str, dtype: torch.dtype, shape: Shape) -> None:
        self.body, self.name, self.dtype, self.shape = body, name, dtype, shape

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Symbol:
        """Write what a function of torch does with values of a graph."""
        from stochi.export.onnx.torch_calls import CALLS  # which writes with this class

        name = function.__name__
        if name not in CALLS:
            raise ExportError(f"torch's {name} has no form in ONNX here")
        return CALLS[name](*args, **(kwargs or {}))

    def __bool__(self) -> bool:
        raise ExportError("a value of an ONNX graph is not known while the graph is written")

    def __add__(self, other: Any) -> Symbol:
        return self if _is_number(other, 0) else binary("Add", self, other)

    def __radd__(self, other: Any) -> Symbol:
        return self if _is_number(other, 0) else binary("Add", other, self)

    def __sub__(self, other: Any) -> Symbol:
        return self if _is_number(other, 0) else binary("Sub", self, other)

    def __rsub__(self, other: Any) -> Symbol:
        return binary("Sub", other, self)

    def __mul__(self, other: Any) -> Symbol:
        return self._in_numbers() if _is_number(other, 1) else binary("Mul", self, other)

    def __rmul__(self, other: Any) -> Symbol:
        return self._in_numbers() if _is_number(other, 1) else binary("Mul", other, self)

    def __truediv__(self, other: Any) -> Symbol:
        return binary("Div", self, other)

    def __rtruediv__(self, other: Any) -> Symbol:
        return binary("Div", other, self)

    def __and__(self, other: Any) -> Symbol:
        return self if other is True else binary("And", self, other)

    __rand__ = __and__

    def __or__(self, other: Any) -> Symbol:
        return binary("Or", self, other)

    def __xor__(self, other: Any) -> Symbol:
        return binary("Xor", self, other)

    def __lt__(self, other: Any) -> Symbol:
        return binary("Less", self, other)

    def __le__(self, other: Any) -> Symbol:
        return binary("LessOrEqual", self, other)

    def __gt__(self, other: Any) -> Symbol:
        return binary("Greater", self, other)

    def __ge__(self, other: Any) -> Symbol:
        return binary("GreaterOrEqual", self, other)

    def __eq__(self, other: Any) -> Symbol:  # type: ignore[override]
        return binary("Equal", self, other)

    __hash__ = object.__hash__

    def __lshift__(self, places: int) -> Symbol:
        return self if not places else binary("Mul", self, 2**places)

    def __rshift__(self, places: int) -> Symbol:
        """Shift right, signed numbers with their sign: ONNX shifts unsigned ones only."""
        if not places:
            return self
        if self.dtype in _UNSIGNED:
            return write("BitShift", [self, constant(self, places)], direction="RIGHT")
        if places >= _BITS[self.dtype] - 1:
            return binary("Sub", 0, (self < 0).to(self.dtype))
        whole = self & -(2**places)  # a multiple of 2^places, which no division rounds
        return binary("Div", whole, 2**places)

    def __getitem__(self, key: tuple[Any, ...]) -> Symbol:
        """Add a dimension, ``[:, None]``, or take the front of the second one, ``[:, :n]``."""
        if key[1] is None:
            return write("Unsqueeze", [self, _axes(self, 1)], shape=(*self.shape, 1))
        end = key[1].stop
        bounds = [_axes(self, place) for place in (0, end, 1)]
        return write("Slice", [self, *bounds], shape=(self.shape[0], end, *self.shape[2:]))

    def to(self, dtype: torch.dtype, device: torch.device | None = None) -> Symbol:
        """Return the value in another type; floats lose what follows the point."""
        if dtype == self.dtype:
            return self
        return write("Cast", [self], dtype, to=ONNX_TYPES[dtype])

    @property
    def device(self) -> torch.device:
        """The device of tensors that become constants."""
        return torch.device("cpu")

    def dim(self) -> int:
        """Return the number of dimensions."""
        return len(self.shape)

    def detach(self) -> Symbol:
        """Return the value: a graph passes no gradient."""
        return self

    def reshape(self, first: int, *sizes: int) -> Symbol:
        """Return the value in another shape, with −1 for the number of samples."""
        assert first == -1 and self.shape[0] is None
        target = constant(self, np.array([0, *sizes], np.int64))  # 0 keeps the first size
        return write("Reshape", [self, target], shape=(None, *sizes))

    view = reshape

    def clamp(self, min: float) -> Symbol:
        """Return the value, or the limit if that is larger."""
        return write("Max", [self, constant(self, min)])

    def new_zeros(self, *shape: Any) -> Symbol:
        """Return a zero that broadcasts over any shape."""
        return constant(self, 0)

    def _in_numbers(self) -> Symbol:
        return self.to(torch.int32) if self.dtype == torch.bool else self


_LOGIC = {"And", "Or", "Xor"}
_COMPARED = {"Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal"}


def binary(op: str, left: Any, right: Any) -> Symbol:
    """Write an operation on two values, of which numbers, arrays and tensors become constants."""
    symbol: Symbol = left if isinstance(left, Symbol) else right
    dtypes = [value.dtype for value in (left, right) if isinstance(value, Symbol)]
    numbers = [dtype for dtype in dtypes if dtype != torch.bool]
    logic = op in _LOGIC
    dtype = numbers[0] if numbers else torch.bool if logic else torch.int32
    if numbers and any(other != dtype for other in numbers):
        raise ExportError(f"{op} of {numbers[0]} and {numbers[1]} in an ONNX graph")
    operands = [
        value.to(dtype) if isinstance(value, Symbol) else constant(symbol, value, dtype)
        for value in (left, right)
    ]
    name = f"Bitwise{op}" if logic and dtype != torch.bool else op
    return write(name, operands, torch.bool if op in _COMPARED else dtype)


def write(
    op: str,
    inputs: list[Symbol],
    dtype: torch.dtype | None = None,
    shape: Shape | None = None,
    **attributes: Any,
) -> Symbol:
    """Write a node with one output, by default of its first input's type and their joint shape."""
    body = inputs[0].body
    assert all(value.body is body for value in inputs)
    (name,) = body.emit(op, [value.name for value in inputs], **attributes)
    sizes = joint_shape(*(value.shape for value in inputs)) if shape is None else shape
    return Symbol(body, name, inputs[0].dtype if dtype is None else dtype, sizes)


def constant(like: Symbol, values: Any, dtype: torch.dtype | None = None) -> Symbol:
    """Return numbers as a value of the graph of ``like``, by default of its type."""
    if dtype is None:
        dtype = torch.int64 if isinstance(values, np.ndarray) else like.dtype
    if isinstance(values, torch.Tensor):
        name = like.body.names.get(id(values))
        values = values.detach().cpu().to(dtype)
        return stored(like.body, name, values.numpy())
    array = np.asarray(values)
    return stored(like.body, None, array.astype(numpy_type(dtype)))


def stored(body: Body, name: str | None, values: np.ndarray) -> Symbol:
    """Return an array as a value: large or named ones are stored once, others are constants."""
    dtype = torch.from_numpy(np.zeros((), values.dtype)).dtype
    values = np.asarray(values, order="C")
    if values.size <= SMALL:
        found = body.constant(values)
    else:
        name = name or f"{body.prefix}array_{len(body.arrays)}"
        found = body.array(name, values)
    return Symbol(body, found, dtype, values.shape)


def numpy_type(dtype: torch.dtype) -> Any:
    """Return numpy's name of a type."""
    return torch.zeros((), dtype=dtype).numpy().dtype


def joint_shape(*shapes: Shape) -> Shape:
    """Return the shape to which shapes broadcast; the number of samples wins over 1."""
    length = max(map(len, shapes))
    padded = [(1,) * (length - len(shape)) + shape for shape in shapes]
    return tuple(
        None if None in sizes else max(size for size in sizes if size is not None)
        for sizes in zip(*padded, strict=True)
    )


def _axes(like: Symbol, place: int) -> Symbol:
    return constant(like, np.array([place], np.int64))


def _is_number(value: Any, number: int) -> bool:
    return isinstance(value, bool | int | float) and value == number
