"""Simplification of paths: constant factors and parts of concatenations go into the weights.

The result has as few operations as possible: a factor is folded into the weights before it, or else
into those after it; a part of a concatenation takes its columns of the weights after it, or its
rows of those before it.
"""

import math
from dataclasses import replace

import numpy as np

from stochi.export.operations import (
    Flatten,
    Operation,
    Pick,
    Place,
    Pool,
    Reshape,
    Scale,
    Shape,
    Weights,
)

Path = tuple[Operation, ...]


def simplify(path: Path, factor: float, shape: Shape) -> Path | None:
    """Return an equal path times a factor; None if nothing passes along it.

    Args:
        path: the path.
        factor: a number that multiplies its result.
        shape: shape of its source.
    """
    done: list[Operation] = []
    for operation in path:
        if not _append(done, operation):
            return None
    if factor != 1:
        last = done[-1].output_shape if done else shape
        _append(done, Scale("", last, last, np.asarray(factor)))
    return _finish(done)


def _append(done: list[Operation], operation: Operation) -> bool:
    """Append an operation to a simplified path; return False if nothing passes any more."""
    last = done[-1] if done else None
    if isinstance(operation, Scale):
        if not _fold_back(done, operation):
            done.append(operation)
        return True
    if isinstance(last, Scale):
        after = _through(operation, last.factor)
        if after is not None:
            done.pop()
            if isinstance(operation, Weights):
                return _append(done, operation.scaled_columns(after.ravel()))
            return _append(done, operation) and _append(
                done, Scale("", operation.output_shape, operation.output_shape, after)
            )
    if isinstance(last, Place):
        return _after_place(done, last, operation)
    if isinstance(last, Pick) and isinstance(operation, Weights):
        done[-1] = _embedded(operation, last)
        return True
    if isinstance(last, Pick) and isinstance(operation, Pool | Flatten):
        done.pop()
        return _append(done, _widened(operation, last)) and _append(done, _moved(last, operation))
    if isinstance(last, Weights) and isinstance(operation, Pick):
        done[-1] = _rows(last, operation)
        return True
    if isinstance(last, Reshape) and isinstance(operation, Flatten | Reshape):
        done.pop()
        if last.input_shape == operation.output_shape:
            return True
        return _append(done, replace(operation, input_shape=last.input_shape))
    done.append(operation)
    return True


# Factors.


def channelwise(factor: np.ndarray, shape: Shape) -> np.ndarray | None:
    """Return a factor as one number or one number for each channel; None if it has more."""
    factor = np.asarray(factor, np.float64)
    if factor.size == 1:
        return factor.reshape(())
    full = np.broadcast_to(factor, shape).reshape(shape[0], -1)
    return full[:, 0] if np.all(full == full[:, :1]) else None


def _fold_back(done: list[Operation], scale: Scale) -> bool:
    """Fold a factor into the weights before it, over poolings and flattenings."""
    factor = np.asarray(scale.factor, np.float64)
    for place in range(len(done) - 1, -1, -1):
        operation = done[place]
        if not isinstance(operation, Weights | Pool | Flatten):
            return False
        shape = operation.output_shape
        if isinstance(operation, Flatten):
            if factor.size > 1:
                factor = np.broadcast_to(factor, shape).reshape(operation.input_shape)
            shape = operation.input_shape
        numbers = channelwise(factor, shape)
        if numbers is None:
            return False
        if isinstance(operation, Weights):
            done[place] = operation.scaled_rows(numbers)
            return True
        factor = numbers.reshape(-1, *(1,) * (len(operation.input_shape) - 1))
    return False


def _through(operation: Operation, factor: np.ndarray) -> np.ndarray | None:
    """Return a factor of an operation's input as a factor of its output, or of its columns."""
    factor = np.asarray(factor, np.float64)
    if factor.size == 1:
        return factor.reshape(())
    if isinstance(operation, Flatten | Reshape):
        return np.broadcast_to(factor, operation.input_shape).reshape(operation.output_shape)
    if isinstance(operation, Weights | Pool):
        numbers = channelwise(factor, operation.input_shape)
        if numbers is None or isinstance(operation, Weights):
            return numbers
        return numbers.reshape(-1, *(1,) * (len(operation.output_shape) - 1))
    return None


# Parts of concatenations.


def _after_place(done: list[Operation], place: Place, operation: Operation) -> bool:
    if isinstance(operation, Weights):
        done[-1] = _columns(operation, place)
        return True
    if isinstance(operation, Pool | Flatten):
        done.pop()
        narrowed = _narrowed(operation, place)
        return _append(done, narrowed) and _append(done, _moved(place, operation))
    if isinstance(operation, Place):
        done[-1] = replace(
            place, output_shape=operation.output_shape, start=place.start + operation.start
        )
        return True
    if isinstance(operation, Pick):
        return _overlap(done, place, operation)
    done.append(operation)
    return True


def _overlap(done: list[Operation], place: Place, pick: Pick) -> bool:
    size = place.input_shape[0]
    first = max(place.start, pick.start)
    last = min(place.start + size, pick.start + pick.output_shape[0])
    done.pop()
    if first >= last:
        return False
    tail = place.input_shape[1:]
    if last - first < size:
        kept = (last - first, *tail)
        if not _append(done, Pick("", place.input_shape, kept, first - place.start)):
            return False
    if (last - first, *tail) != pick.output_shape:
        done.append(Place("", (last - first, *tail), pick.output_shape, first - pick.start))
    return True


def _columns(weights: Weights, place: Place) -> Weights:
    weights = weights.ungrouped()
    part = slice(place.start, place.start + place.input_shape[0])
    return replace(
        weights,
        input_shape=place.input_shape,
        weight=np.ascontiguousarray(weights.weight[:, part]),
        columns=None if weights.columns is None else weights.columns[part],
        hashed="",
        received=None,
    )


def _embedded(weights: Weights, pick: Pick) -> Weights:
    weights = weights.ungrouped()
    full = np.zeros((weights.weight.shape[0], pick.input_shape[0], *weights.weight.shape[2:]))
    full = full.astype(weights.weight.dtype)
    part = slice(pick.start, pick.start + pick.output_shape[0])
    full[:, part] = weights.weight
    columns = None
    if weights.columns is not None:
        columns = np.ones(pick.input_shape[0])
        columns[part] = weights.columns
    changed = replace(weights, input_shape=pick.input_shape, weight=full, columns=columns)
    return replace(changed, hashed="", received=None)


def _rows(weights: Weights, pick: Pick) -> Weights:
    weights = weights.ungrouped()
    part = slice(pick.start, pick.start + pick.output_shape[0])
    return replace(
        weights,
        output_shape=pick.output_shape,
        weight=np.ascontiguousarray(weights.weight[part]),
        rows=None if weights.rows is None else weights.rows[part],
        hashed="",
    )


def _padded(weights: Weights, place: Place) -> Weights:
    weights = weights.ungrouped()
    total, part = place.output_shape[0], slice(place.start, place.start + place.input_shape[0])
    full = np.zeros((total, *weights.weight.shape[1:]), weights.weight.dtype)
    full[part] = weights.weight
    rows = None
    if weights.rows is not None:
        rows = np.ones(total)
        rows[part] = weights.rows
    return replace(weights, output_shape=place.output_shape, weight=full, rows=rows, hashed="")


def _narrowed(operation: Operation, place: Place) -> Operation:
    """Return a pooling or flattening of the part only."""
    if isinstance(operation, Flatten):
        return replace(
            operation,
            input_shape=place.input_shape,
            output_shape=(math.prod(place.input_shape),),
        )
    after = (place.input_shape[0], *operation.output_shape[1:])
    return replace(operation, input_shape=place.input_shape, output_shape=after)


def _widened(operation: Operation, pick: Pick) -> Operation:
    """Return a pooling or flattening of everything of which a part is picked."""
    if isinstance(operation, Flatten):
        return replace(
            operation, input_shape=pick.input_shape, output_shape=(math.prod(pick.input_shape),)
        )
    after = (pick.input_shape[0], *operation.output_shape[1:])
    return replace(operation, input_shape=pick.input_shape, output_shape=after)


def _moved(part: Place | Pick, operation: Operation) -> Place | Pick:
    """Return a placement or selection as it is after a pooling or flattening."""
    size = math.prod(part.input_shape[1:]) if isinstance(operation, Flatten) else 1
    tail = () if isinstance(operation, Flatten) else operation.output_shape[1:]
    return replace(
        part,
        input_shape=(part.input_shape[0] * size, *tail),
        output_shape=(part.output_shape[0] * size, *tail),
        start=part.start * size,
    )


# The end.


def _finish(done: list[Operation]) -> Path:
    """Replace placements and selections that no weights took by weights of their own."""
    result: list[Operation] = []
    for operation in done:
        if isinstance(operation, Place) and result and isinstance(result[-1], Weights):
            result[-1] = _padded(result[-1], operation)
        elif isinstance(operation, Place | Pick):
            result.append(_selection(operation))
        else:
            result.append(operation)
    return tuple(result)


def _selection(part: Place | Pick) -> Weights:
    """Return a placement or selection as weights of 0 and 1."""
    small, large = sorted((part.input_shape[0], part.output_shape[0]))
    matrix = np.zeros((small, large), np.float32)
    matrix[np.arange(small), np.arange(part.start, part.start + small)] = 1
    weight = matrix.T if isinstance(part, Place) else matrix
    dimensions = len(part.input_shape) - 1
    weight = np.ascontiguousarray(weight).reshape(*weight.shape, *(1,) * dimensions)
    ones, zeros = (1,) * dimensions, (0,) * dimensions
    return Weights(
        part.label, part.input_shape, part.output_shape, weight, ones, zeros, zeros, ones
    )
