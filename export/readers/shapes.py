"""Reshapes, indexing, concatenation and stacking, of features and of time steps."""

import math
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from stochi.export.operations import Flatten, Pick, Reshape, Shape
from stochi.export.readers.pooling import over_space
from stochi.export.readers.protocol import Reader
from stochi.export.readers.rearranging import rearrange
from stochi.export.recording import Event
from stochi.export.run import Run, bound
from stochi.export.signals import Signal, concatenate
from stochi.export.values import (
    Constant,
    Frame,
    Merged,
    Reading,
    Sequence,
    Value,
    each,
    frame_constant,
    to_frame,
    with_step,
)


def reshaped(signal: Signal, shape: Shape, event: Event) -> Signal | None:
    """Return a signal in another shape; None if the number of values differs."""
    flattens = isinstance(event.module, nn.Flatten) and len(shape) == 1
    if signal.shape == shape and not flattens:
        return signal
    if math.prod(signal.shape) != math.prod(shape):
        return None
    kind = Flatten if len(shape) == 1 else Reshape
    label = event.layer if isinstance(event.module, nn.Flatten) else ""
    label = label or (f"{signal.label}.flatten" if kind is Flatten and signal.label else "")
    operation = kind(label, signal.shape, shape)
    return replace(signal.applied(operation), label=label or signal.label)


def _reshape(run: Run, event: Event) -> list[Value] | None:
    """Read any function that keeps the values and their order."""
    value = to_frame(run.value(event.args[0]))
    before, after = event.args[0].shape, event.results[0].shape
    steps = len(value.frames) if isinstance(value, Sequence | Merged) else 1
    if isinstance(value, Frame):
        if _adds_time(event, before, after):
            return [Sequence((value.signal,))]
        return _frames([value.signal], after[1:], event, Frame) if after[:1] == before[:1] else None
    if isinstance(value, Merged):
        batch = before[0] // steps
        if after[:1] == before[:1]:
            return _frames(list(value.frames), after[1:], event, Merged)
        if tuple(after[:2]) == (steps, batch):
            return _frames(list(value.frames), after[2:], event, Sequence)
        return None
    if isinstance(value, Sequence) and value.axis == 0:
        batch = before[1]
        if after[:1] == before[:1] and after[1:2] == before[1:2]:
            return _frames(list(value.frames), after[2:], event, Sequence)
        if after[0] == steps * batch:
            return _frames(list(value.frames), after[1:], event, Merged)
        if steps == 1 and after[0] == batch:
            return _frames(list(value.frames), after[1:], event, Frame)
    if isinstance(value, Sequence) and value.axis == 1 and after[:2] == before[:2]:
        frames = _frames(list(value.frames), after[2:], event, Sequence)
        return None if frames is None else [Sequence(frames[0].frames, 1)]  # type: ignore[union-attr]
    return None


def _frames(signals: list[Signal], shape: Any, event: Event, kind: type) -> list[Value] | None:
    found = [reshaped(signal, tuple(shape), event) for signal in signals]
    if any(signal is None for signal in found):
        return None
    return [kind(found[0] if kind is Frame else tuple(found))]


def _adds_time(event: Event, before: Shape, after: Shape) -> bool:
    first = event.args[1] if len(event.args) > 1 else event.kwargs.get("dim")
    leads = first == 0 or first is None or first == -len(before) - 1
    return event.name in ("unsqueeze", "__getitem__") and leads and after[1:] == before


def _repeat(run: Run, event: Event) -> list[Value] | None:
    """Read a repetition of frames over time steps."""
    value = to_frame(run.value(event.args[0]))
    before, after = event.args[0].shape, event.results[0].shape
    if isinstance(value, Frame):
        if after == before:
            return [value]
        if after[1:] == before:
            return [Sequence((value.signal,) * after[0])]
    single = isinstance(value, Sequence) and value.axis == 0 and len(value.frames) == 1
    if isinstance(value, Sequence) and single and after[1:] == before[1:]:
        return [Sequence(value.frames * after[0])]
    return rearrange(run, event)


def _permute(run: Run, event: Event) -> list[Value] | None:
    value, dims = to_frame(run.value(event.args[0])), event.args[0].dim()
    order = list(range(dims))
    if event.name in ("permute",):
        dimensions = event.args[1:] if len(event.args) > 1 else (event.kwargs["dims"],)
        flat = dimensions[0] if isinstance(dimensions[0], tuple | list) else dimensions
        order = [int(d) % dims for d in flat]
    else:
        names = "input dim0 dim1" if event.name != "movedim" else "input source destination"
        given = bound(event, names)
        first, second = (int(given[name]) % dims for name in names.split()[1:])
        if event.name == "movedim":
            order.insert(second, order.pop(first))
        else:
            order[first], order[second] = order[second], order[first]
    if isinstance(value, Sequence):
        kept = [d for d in order if d != value.axis]
        return [Sequence(value.frames, order.index(value.axis))] if kept == sorted(kept) else None
    return [value] if order == sorted(order) else rearrange(run, event)


def _index(run: Run, event: Event) -> list[Value] | None:
    value = to_frame(run.value(event.args[0]))
    key = event.args[1]
    items = list(key) if isinstance(key, tuple) else [key]
    dims = event.args[0].dim()
    if any(not isinstance(i, int | slice | type(Ellipsis) | type(None)) for i in items):
        return rearrange(run, event)
    if Ellipsis in items:
        place = items.index(Ellipsis)
        missing = dims - sum(i is not None for i in items) + 1
        items[place : place + 1] = [slice(None)] * missing
    if isinstance(value, Sequence):
        return _index_steps(value, items)
    if not isinstance(value, Frame | Merged):
        return None
    if None in items:
        return _reshape(run, event)
    if items[0] != slice(None):
        return None
    rest = items[1:]
    if all(item == slice(None) for item in rest):
        return [value]
    ranged = isinstance(rest[0], slice) and rest[0].step in (None, 1)
    if ranged and all(item == slice(None) for item in rest[1:]):
        start, stop, _ = rest[0].indices(event.args[0].shape[1])
        return [each(value, lambda s: picked(s, start, stop))]
    return rearrange(run, event)


def picked(signal: Signal, start: int, stop: int) -> Signal:
    """Return a range of a signal along its first axis."""
    if (start, stop) == (0, signal.shape[0]):
        return signal
    return signal.applied(Pick("", signal.shape, (stop - start, *signal.shape[1:]), start))


def _index_steps(value: Sequence, items: list[Any]) -> list[Value] | None:
    if len(items) <= value.axis or any(
        item != slice(None) for place, item in enumerate(items) if place != value.axis
    ):
        return [value] if all(item == slice(None) for item in items) else None
    item = items[value.axis]
    if isinstance(item, int):
        return [Frame(value.frames[item])]
    return [Sequence(value.frames[item], value.axis)] if isinstance(item, slice) else None


def _select(run: Run, event: Event) -> list[Value] | None:
    given = bound(event, "input dim index")
    value, dim = to_frame(run.value(given["input"])), int(given["dim"]) % event.args[0].dim()
    if isinstance(value, Sequence) and dim == value.axis:
        return [Frame(value.frames[int(given["index"])])]
    return rearrange(run, event)


def _unbind(run: Run, event: Event) -> list[Value] | None:
    dim = int(bound(event, "input dim", dim=0)["dim"]) % event.args[0].dim()
    value = to_frame(run.value(event.args[0]))
    if isinstance(value, Sequence) and dim == value.axis:
        return [Frame(signal) for signal in value.frames]
    return rearrange(run, event)


def _split(run: Run, event: Event) -> list[Value] | None:
    """Read a split into consecutive parts, of time steps or of channels."""
    given = bound(event, "input sizes dim", dim=0)
    dim = int(given["dim"]) % event.args[0].dim()
    value = to_frame(run.value(event.args[0]))
    sizes = [tensor.shape[dim] for tensor in event.results]
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    ends = [start + size for start, size in zip(starts, sizes, strict=True)]
    ranges = list(zip(starts, ends, strict=True))
    if isinstance(value, Sequence) and dim == value.axis:
        return [Sequence(value.frames[a:b], value.axis) for a, b in ranges]
    if isinstance(value, Frame | Merged) and dim == 1:
        return [each(value, lambda s, a=a, b=b: picked(s, a, b)) for a, b in ranges]  # type: ignore[misc]
    return rearrange(run, event)


def _stack(run: Run, event: Event) -> list[Value] | None:
    given = bound(event, "tensors dim", dim=0)
    signals = _signals(run, list(given["tensors"]))
    dim = int(given["dim"]) % event.results[0].dim()
    return None if signals is None else [Sequence(tuple(signals), dim)]


def _signals(run: Run, given: list[torch.Tensor]) -> list[Signal] | None:
    """Return tensors as frames; None if one of them is no frame."""
    values = [to_frame(run.value(tensor)) for tensor in given]
    found: list[Signal] = []
    for value, tensor in zip(values, given, strict=True):
        if isinstance(value, Constant):
            shape = tuple(tensor.shape[1:])
            constant = frame_constant(tensor, shape)
            value = value if constant is None else Frame(Signal(shape, constant=constant))
        if not isinstance(value, Frame):
            return None
        found.append(value.signal)
    return found


def _concatenate(run: Run, event: Event) -> list[Value] | None:
    given = bound(event, "tensors dim", dim=0)
    if event.name == "hstack":
        given["dim"] = 1
    parts = list(given["tensors"])
    dim = int(given["dim"]) % event.results[0].dim()
    values = [to_frame(run.value(tensor)) for tensor in parts]
    sequences = [value for value in values if isinstance(value, Sequence | Merged)]
    if not sequences:
        signals = _signals(run, parts)
        if signals is None or dim > 1:
            return None
        return [Merged(tuple(signals)) if dim == 0 else Frame(concatenate(signals, event.layer))]
    if len(sequences) < len(values) or len({type(value) for value in values}) > 1:
        return None
    if isinstance(sequences[0], Sequence) and dim == sequences[0].axis:
        return [Sequence(tuple(s for v in sequences for s in v.frames), dim)]
    if isinstance(sequences[0], Merged) and dim == 0:
        return [Merged(tuple(s for v in sequences for s in v.frames))]
    channels = 1 if isinstance(sequences[0], Merged) else 2
    if dim != channels or len({len(v.frames) for v in sequences}) > 1:
        return None
    joined = tuple(
        concatenate(list(step), event.layer)
        for step in zip(*(v.frames for v in sequences), strict=True)
    )
    first = sequences[0]
    return [Merged(joined) if isinstance(first, Merged) else Sequence(joined, first.axis)]


def _over(kind: str) -> Reader:
    """Mean or sum, over time, over space, or over features."""

    def read(run: Run, event: Event) -> list[Value] | None:
        given = bound(event, "input dim keepdim", dim=None, keepdim=False)
        value, total = to_frame(run.value(given["input"])), given["input"].dim()
        dims = given.get("axis", given["dim"])
        dims = range(total) if dims is None else [dims] if isinstance(dims, int) else dims
        dims = sorted(int(dim) % total for dim in dims)
        keep = bool(given["keepdim"])
        if isinstance(value, Sequence):
            if dims == [value.axis]:
                read = Reading(kind, value.frames)
                return [Sequence((to_frame(read).signal,), value.axis) if keep else read]  # type: ignore[union-attr]
            if value.axis in dims:
                return None
            dims = [dim - (dim > value.axis) for dim in dims]
        frames = [value.signal] if isinstance(value, Frame) else getattr(value, "frames", ())
        if dims == [2, 3] and frames and len(frames[0].shape) == 3:
            label = event.layer
            return [each(value, lambda s: over_space(s, kind == "mean", keep, label))]
        return rearrange(run, event) if dims and dims[0] > 0 else None

    return read


def _set(run: Run, event: Event) -> list[Value] | None:
    """Read ``record[step] = spikes``, with record preallocated."""
    target, key, given = event.args[0], event.args[1], event.args[2]
    if not isinstance(given, torch.Tensor):
        return None
    value, base = to_frame(run.value(given)), run.value(target)
    items = list(key) if isinstance(key, tuple) else [key]
    places = [place for place, item in enumerate(items) if item not in (slice(None), Ellipsis)]
    if len(places) != 1 or not isinstance(items[places[0]], int) or not isinstance(value, Frame):
        return None
    axis, step = places[0], int(items[places[0]])
    written = with_step(base, target, axis, step, value.signal)
    return None if written is None else [written]


SHAPES: dict[str, Reader] = {
    **dict.fromkeys(
        (
            *("flatten", "reshape", "view", "squeeze", "unsqueeze", "unflatten", "view_as"),
            *("reshape_as", "ravel", "squeeze_", "unsqueeze_"),
        ),
        _reshape,
    ),
    **dict.fromkeys(("expand", "repeat", "expand_as", "broadcast_to"), _repeat),
    **dict.fromkeys(("permute", "transpose", "swapdims", "swapaxes", "movedim"), _permute),
    **dict.fromkeys(("split", "chunk", "tensor_split", "split_with_sizes"), _split),
    **dict.fromkeys(("cat", "concat", "concatenate", "hstack"), _concatenate),
    "__getitem__": _index,
    "__setitem__": _set,
    "select": _select,
    "unbind": _unbind,
    "stack": _stack,
    "mean": _over("mean"),
    "sum": _over("sum"),
}
