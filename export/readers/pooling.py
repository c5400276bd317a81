"""Average pooling, and max pooling of spikes."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from stochi.export.operations import Flatten, Operation, Place, Pool, Shape
from stochi.export.readers.protocol import Reader
from stochi.export.readers.rearranging import rearrange
from stochi.export.recording import Event
from stochi.export.refusals import explain
from stochi.export.run import Run, bound
from stochi.export.signals import SPIKES, Signal, Source, Term, add
from stochi.export.values import (
    Frame,
    Layer,
    Merged,
    Sequence,
    Unknown,
    Value,
    each,
    to_frame,
)


def _pair(value: Any) -> Shape:
    values = (value,) if isinstance(value, int) else tuple(value)
    return (int(values[0]), int(values[-1]))


def _shape(value: Value) -> Shape:
    frames = (value.signal,) if isinstance(value, Frame) else getattr(value, "frames", ())
    return frames[0].shape if frames else ()


def _windows(event: Event) -> tuple[Shape, Shape, Shape, dict[str, Any]]:
    given = bound(
        event,
        "input kernel_size stride padding ceil_mode count_include_pad divisor_override",
        **{"stride": None, "padding": 0, "ceil_mode": False, "count_include_pad": True},
        divisor_override=None,
    )
    kernel = _pair(given["kernel_size"])
    stride = _pair(given["stride"]) if given["stride"] not in (None, [], ()) else kernel
    return kernel, stride, _pair(given["padding"]), given


def _fits(size: Shape, kernel: Shape, stride: Shape, padding: Shape) -> Shape:
    """Return the output size of pooling that ignores what the last window does not fill."""
    return tuple(
        (n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, padding, strict=True)
    )


def _average(run: Run, event: Event) -> list[Value] | None:
    value = to_frame(run.value(event.args[0]))
    kernel, stride, padding, given = _windows(event)
    shape = _shape(value)
    if isinstance(value, Sequence) or len(shape) != 3:
        return None
    after = tuple(event.results[0].shape[1:])
    equal = _fits(shape[1:], kernel, stride, padding) == after[1:] and (
        given["count_include_pad"] or not any(padding) or given["divisor_override"]
    )
    if not equal:
        return rearrange(run, event)
    pool = Pool(event.layer, shape, after, kernel, stride, padding)
    divisor = given["divisor_override"]
    if not divisor:
        return [each(value, lambda s: s.applied(pool))]
    summed = replace(pool, average=False)
    return [each(value, lambda s: s.applied(summed).times(1 / divisor))]


def _adaptive(run: Run, event: Event) -> list[Value] | None:
    value = to_frame(run.value(event.args[0]))
    shape, after = _shape(value), tuple(event.results[0].shape[1:])
    if isinstance(value, Sequence) or len(shape) != 3:
        return None
    if any(size % out for size, out in zip(shape[1:], after[1:], strict=True)):
        return rearrange(run, event)
    kernel = tuple(size // out for size, out in zip(shape[1:], after[1:], strict=True))
    pool = Pool(event.layer, shape, after, kernel, kernel, (0, 0))
    return [each(value, lambda s: s.applied(pool))]


def over_space(signal: Signal, average: bool, keep: bool, label: str) -> Signal:
    """Return the mean or sum of each channel of a frame (channels, height, width)."""
    channels, *size = signal.shape
    kernel = (size[0], size[1])
    after = (channels, 1, 1)
    pooled = signal.applied(
        Pool(label, signal.shape, after, kernel, kernel, (0, 0), average=average)
    )
    return pooled if keep else pooled.applied(Flatten("", after, (channels,)))


# Max pooling.


def _maximum(run: Run, event: Event) -> list[Value] | None:
    """Max pooling of spikes, an OR: neurons that fire if the sum of a window exceeds a half."""
    value = to_frame(run.value(event.args[0]))
    shape, after = _shape(value), tuple(event.results[0].shape[1:])
    if isinstance(value, Sequence) or len(shape) != 3 or len(event.results) > 1:
        return None
    if event.name == "adaptive_max_pool2d":
        if any(size % out for size, out in zip(shape[1:], after[1:], strict=True)):
            return [Unknown(explain(event, "its windows differ in size; use MaxPool2d"))]
        kernel = tuple(size // out for size, out in zip(shape[1:], after[1:], strict=True))
        stride, padding, dilation = kernel, _pair(0), _pair(1)
    else:
        names = "input kernel_size stride padding dilation ceil_mode"
        given = bound(event, names, stride=None, padding=0, dilation=1)
        kernel = _pair(given["kernel_size"])
        stride = _pair(given["stride"]) if given["stride"] else kernel
        padding, dilation = _pair(given["padding"]), _pair(given["dilation"])
    if dilation != (1, 1) or _fits(shape[1:], kernel, stride, padding) != after[1:]:
        reason = "dilation and ceil_mode are not in NIR's pooling; use neither"
        return [Unknown(explain(event, reason))]
    pool = Pool("", shape, after, kernel, stride, padding, average=False)
    frames = (value.signal,) if isinstance(value, Frame) else getattr(value, "frames", ())
    if not all(map(_is_spikes, frames)):
        return None
    results = event.results[0].detach()
    parts = results.reshape(len(frames), -1, *after) if frames else results
    pooled = tuple(_or(run, event, s, pool, p) for s, p in zip(frames, parts, strict=True))
    return [Frame(pooled[0]) if isinstance(value, Frame) else Merged(pooled)]


def _is_spikes(signal: Signal) -> bool:
    """Return whether a signal is the spikes of one layer, or of several layers side by side."""
    if not signal.terms or np.any(signal.constant):
        return False
    taken: set[int] = set()
    for term in signal.terms:
        moves = all(isinstance(operation, Place) for operation in term.path)
        if term.source.kind != SPIKES or term.factor <= 0 or not moves:
            return False
        start = sum(operation.start for operation in term.path if isinstance(operation, Place))
        covered = set(range(start, start + term.source.shape[0]))
        if taken & covered:
            return False
        taken |= covered
    return True


def _or(run: Run, event: Event, signal: Signal, pool: Pool, result: torch.Tensor) -> Signal:
    """Return the pooled spikes of all layers in a signal."""
    found = []
    for number, term in enumerate(signal.terms):
        name = event.layer or f"{term.source.name}.max_pool"
        name = f"{name}.{number}" if len(signal.terms) > 1 else name
        own = replace(term, path=(), factor=1.0)
        shape = (term.source.shape[0], *pool.output_shape[1:])
        own_pool = replace(pool, input_shape=term.source.shape, output_shape=shape)
        layer = run.layers.setdefault(name, Layer(name, None, shape))
        source = Source(SPIKES, name, len(layer.inputs), shape)
        layer.inputs.append(Signal(term.source.shape, (own,)).applied(own_pool))
        path = tuple(_moved(operation, pool) for operation in term.path)
        found.append(Signal(pool.output_shape, (Term(source, path, term.factor),)))
        if not term.path:
            layer.values.append(result / term.factor)
    return add(found, event.layer)


def _moved(operation: Operation, pool: Pool) -> Operation:
    """Return a placement of channels as it is after pooling."""
    size = pool.output_shape[1:]
    return replace(
        operation,
        input_shape=(operation.input_shape[0], *size),
        output_shape=(operation.output_shape[0], *size),
    )


POOLING: dict[str, Reader] = {
    "avg_pool2d": _average,
    "adaptive_avg_pool2d": _adaptive,
    "max_pool2d": _maximum,
    "adaptive_max_pool2d": _maximum,
}
