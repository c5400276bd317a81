"""Sums, products with constants, and functions that change nothing."""

from collections.abc import Callable
from typing import Any

import numpy as np

from stochi.export.readers.protocol import Reader
from stochi.export.recording import Event
from stochi.export.refusals import explain
from stochi.export.run import Run, bound
from stochi.export.signals import Signal, add
from stochi.export.values import (
    Constant,
    Frame,
    Merged,
    Sequence,
    Unknown,
    Value,
    each,
    frame_constant,
    to_frame,
)


def _operands(run: Run, event: Event) -> tuple[Value, Value, Any]:
    given = bound(event, "input other", alpha=1)
    alpha = given.get("alpha", 1)
    return to_frame(run.value(given["input"])), to_frame(run.value(given["other"])), alpha


def _sum(sign: float, reverse: bool = False) -> Reader:
    def read(run: Run, event: Event) -> list[Value] | None:
        first, second, alpha = _operands(run, event)
        factor = sign * float(alpha)
        if reverse:
            first, second, factor = second, first, sign
        return [_plus(run, event, first, second, factor)]

    return read


def _plus(run: Run, event: Event, first: Value, second: Value, factor: float) -> Value:
    if isinstance(second, Constant):
        return _with_constant(first, second, event, lambda s, c: s.plus(factor * c))
    if isinstance(first, Constant):
        return _with_constant(second, first, event, lambda s, c: s.times(factor).plus(c))
    label = event.layer

    def total(one: Signal, two: Signal) -> Signal:
        return add([one, two.times(factor)], label)

    return pairwise(first, second, total) or Unknown(
        explain(event, "add values of one shape and of one time step each")
    )


def pairwise(
    first: Value, second: Value, function: Callable[[Signal, Signal], Signal]
) -> Value | None:
    """Combine two values frame by frame; None if they do not match."""
    if isinstance(first, Frame) and isinstance(second, Frame):
        if first.signal.shape != second.signal.shape:
            return None
        return Frame(function(first.signal, second.signal))
    for kind in (Sequence, Merged):
        if isinstance(first, kind) and isinstance(second, Frame):
            second = _repeated(second, first)
        elif isinstance(second, kind) and isinstance(first, Frame):
            first = _repeated(first, second)
        if isinstance(first, kind) and isinstance(second, kind):
            pairs = list(zip(first.frames, second.frames, strict=False))
            matched = len(first.frames) == len(second.frames) and all(
                a.shape == b.shape for a, b in pairs
            )
            if not matched or getattr(first, "axis", 0) != getattr(second, "axis", 0):
                return None
            frames = tuple(function(a, b) for a, b in pairs)
            return Sequence(frames, first.axis) if isinstance(first, Sequence) else Merged(frames)
    return None


def _repeated(frame: Frame, like: Value) -> Value:
    if isinstance(like, Sequence) and like.axis == 0:
        return Sequence((frame.signal,) * len(like.frames))
    return frame


def _with_constant(
    value: Value,
    constant: Constant,
    event: Event,
    function: Callable[[Signal, np.ndarray], Signal],
) -> Value:
    frames = [value.signal] if isinstance(value, Frame) else list(getattr(value, "frames", ()))
    if not frames:
        return Unknown(explain(event))
    numbers = frame_constant(constant.tensor, frames[0].shape)
    if numbers is None or (isinstance(value, Sequence) and numbers.ndim > len(frames[0].shape)):
        return Unknown(
            explain(event, "use constants that are the same for all samples and time steps")
        )
    return each(value, lambda signal: function(signal, numbers))


def _multiply(run: Run, event: Event) -> list[Value] | None:
    first, second, _ = _operands(run, event)
    if isinstance(first, Constant):
        first, second = second, first
    if not isinstance(second, Constant):
        return None
    return [_with_constant(first, second, event, lambda s, c: s.times(c))]


def _divide(run: Run, event: Event) -> list[Value] | None:
    first, second, _ = _operands(run, event)
    if not isinstance(second, Constant) or event.kwargs.get("rounding_mode"):
        return None
    if not bool((second.tensor != 0).all()):
        return None
    return [_with_constant(first, second, event, lambda s, c: s.times(1 / c))]


def _negate(run: Run, event: Event) -> list[Value] | None:
    return [each(run.value(event.args[0]), lambda s: s.times(-1.0))]


def _pass(run: Run, event: Event) -> list[Value] | None:
    value = run.value(event.args[0])
    return [value] * len(event.results)


def _cast(run: Run, event: Event) -> list[Value] | None:
    """Pass a value on unless the cast rounds it."""
    if event.results[0].is_floating_point() or _is_spiking(run.value(event.args[0])):
        return _pass(run, event)
    return None


def _is_spiking(value: Value) -> bool:
    frames = [value.signal] if isinstance(value, Frame) else getattr(value, "frames", ())
    return all(len(s.terms) == 1 and not s.terms[0].path for s in frames)


def _dropout(run: Run, event: Event) -> list[Value] | None:
    given = bound(event, "input p train", train=True)
    on = given.get("training", given["train"])
    return None if on and given.get("p", 0.5) else _pass(run, event)


def _constant(run: Run, event: Event) -> list[Value] | None:
    return [Constant(tensor) for tensor in event.results]


def _copy(run: Run, event: Event) -> list[Value] | None:
    return [run.value(event.args[1])]


ARITHMETIC: dict[str, Reader] = {
    **dict.fromkeys(("add", "__add__", "__iadd__", "add_", "__radd__"), _sum(1.0)),
    **dict.fromkeys(("sub", "__sub__", "__isub__", "sub_", "subtract"), _sum(-1.0)),
    **dict.fromkeys(("rsub", "__rsub__"), _sum(-1.0, reverse=True)),
    **dict.fromkeys(("mul", "__mul__", "__rmul__", "__imul__", "mul_", "multiply"), _multiply),
    **dict.fromkeys(
        ("div", "__truediv__", "__itruediv__", "div_", "true_divide", "divide"), _divide
    ),
    **dict.fromkeys(("neg", "__neg__", "negative"), _negate),
    **dict.fromkeys(
        (
            *("clone", "contiguous", "detach", "detach_", "requires_grad_", "cpu", "cuda", "alias"),
            *("__get__.data", "positive", "__pos__", "to_dense", "identity"),
        ),
        _pass,
    ),
    **dict.fromkeys(
        ("double", "float", "half", "bfloat16", "to", "type", "type_as", "int", "long", "bool"),
        _cast,
    ),
    **dict.fromkeys(
        (
            *("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"),
            *("feature_dropout", "feature_alpha_dropout"),
        ),
        _dropout,
    ),
    **dict.fromkeys(
        (
            *("zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones"),
            *("new_full", "new_empty", "new_tensor"),
        ),
        _constant,
    ),
    **dict.fromkeys(("copy_", "__set__.data"), _copy),
}
