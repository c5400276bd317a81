"""The paths into each layer in the form that NIR can express, before nodes are made of them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from stochi.export.operations import (
    Flatten,
    Operation,
    Rearrange,
    Reshape,
    Shape,
    Weights,
    path_matrix,
)
from stochi.export.problems import RETRAIN, Problems
from stochi.export.signals import INPUT, Signal, Source
from stochi.export.simplification import Path, simplify

LARGEST_MATRIX = 1 << 22


@dataclass(frozen=True, eq=False)
class Layout:
    """Shapes that NIR's lack of an "unflatten" node decides.

    Attributes:
        input_shape: shape of the graph's input.
        reshaped: whether the input has the shape that the model gives it first.
        flat: layers whose neurons stand in one dimension, because dense weights feed them.
        dense: flat layers all of whose weights are dense, for biases that differ between neurons.
    """

    input_shape: Shape
    reshaped: bool
    flat: frozenset[str] = frozenset()
    dense: frozenset[str] = frozenset()

    def same(self, other: "Layout") -> bool:
        """Return whether two layouts have the same flat and dense layers."""
        return (self.flat, self.dense) == (other.flat, other.dense)

    def with_flat(self, name: str) -> "Layout":
        """Return the layout with another flat layer."""
        return replace(self, flat=self.flat | {name})

    def with_dense(self, name: str) -> "Layout":
        """Return the layout with another layer of dense weights."""
        return replace(self, dense=self.dense | {name})


@dataclass(frozen=True, eq=False)
class Route:
    """A path from a source, with the source's own shape in the graph."""

    source: Source
    path: Path


def input_layout(signals: Iterable[Signal], shape: Shape) -> Layout:
    """Return the layout in which the input has the shape that all paths give it first."""
    firsts: list[Operation | None] = [
        term.path[0] if term.path else None
        for signal in signals
        for term in signal.terms
        if term.source.kind == INPUT
    ]
    reshapes = [first for first in firsts if isinstance(first, Reshape)]
    if reshapes and len(reshapes) == len(firsts):
        shapes = {first.output_shape for first in reshapes}
        if len(shapes) == 1:
            return Layout(shapes.pop(), True)
    return Layout(shape, False)


def routes_into(
    target: str, signal: Signal, layout: Layout, problems: Problems
) -> tuple[list[Route], bool]:
    """Return the paths into a layer, and whether its neurons must stand in one dimension.

    Args:
        target: name of the layer, for errors.
        signal: what feeds it.
        layout: as known so far; the caller repeats until it knows all flat layers.
        problems: receives paths that NIR cannot express.
    """
    flat_target = target in layout.flat
    routes = []
    for term in signal.terms:
        source, path = term.source, term.path
        if source.kind == INPUT and layout.reshaped:
            source, path = replace(source, shape=layout.input_shape), path[1:]
        simple = simplify(path, term.factor, source.shape)
        if simple is None:
            continue
        flat_source = source.kind != INPUT and source.name in layout.flat
        if flat_source and simple and isinstance(simple[0], Flatten):
            simple, source = simple[1:], replace(source, shape=simple[0].output_shape)
        elif (flat_source and simple) or _needs_matrix(simple, target in layout.dense):
            dense = _densely(target, simple, source, flat_source, problems)
            if dense is None:
                continue
            source, simple = dense
            flat_target = flat_target or len(signal.shape) > 1
        elif flat_source:
            source = replace(source, shape=(math.prod(source.shape),))
            flat_target = flat_target or len(signal.shape) > 1
        if target in layout.flat:
            last = simple[-1].output_shape if simple else source.shape
            if len(last) > 1:
                simple = (*simple, Flatten("", last, (math.prod(last),)))
        routes.append(Route(source, simple))
    return routes, flat_target


def _needs_matrix(path: Path, dense: bool) -> bool:
    """Return whether only a matrix can express a path, or shall."""
    kinds = (Rearrange, Reshape, Weights) if dense else (Rearrange, Reshape)
    return any(isinstance(operation, kinds) for operation in path)


def _densely(
    target: str, path: Path, source: Source, flat: bool, problems: Problems
) -> tuple[Source, Path] | None:
    """Return a path as one matrix on flattened frames; None, with a problem, if it is too large."""
    after = path[-1].output_shape
    size, outputs = math.prod(source.shape), math.prod(after)
    weights = [o for o in path if isinstance(o, Weights)]
    named = [o for o in path if isinstance(o, Rearrange)]
    what = named[0].what if named else "a bias for each neuron" if weights else "reshape"
    label = (weights[-1].label if weights else "") or next(
        (o.label for o in reversed(path) if o.label), ""
    )
    if size * outputs > LARGEST_MATRIX:
        problems.add(
            f"layer {label or target!r}: NIR has no node for {what!r}; as dense weights it would"
            f" have {size} × {outputs} = {size * outputs:,} values, and {LARGEST_MATRIX:,} are the"
            f" limit. Use stride 1, a pooling or a convolution instead{RETRAIN}"
        )
        return None
    matrix = path_matrix(path, source.shape, after)
    dtype = weights[-1].weight.dtype if weights else np.float32
    biased = bool(weights) and weights[-1].biased
    dense = Weights(label, (size,), (outputs,), matrix.astype(dtype), biased=biased)
    if flat or len(source.shape) == 1:
        return replace(source, shape=(size,)), (dense,)
    return source, (Flatten("", source.shape, (size,)), dense)
