"""The memory and work that a graph takes, worked out before anything is allocated."""

import math
from collections.abc import Iterable, Mapping, Sequence

import nir
import numpy as np

from stochi.budget import check_memory, check_work
from stochi.errors import LoweringError

Shape = tuple[int, ...]
_BYTES = 8
"""Bytes of a number while a graph is lowered, and of a number that a path delays."""


def check_shapes(shapes: Mapping[str, Shape]) -> None:
    """Raise LoweringError if the values of all nodes take more than the budget of memory."""
    total = 0
    for name, shape in shapes.items():
        total += _BYTES * math.prod(shape)
        check_memory(total, f"node {name!r} of shape {shape}, with those before it,", LoweringError)


def check_weights(nodes: Mapping[str, nir.NIRNode], paths: Iterable[Sequence[str]]) -> None:
    """Raise LoweringError if the weights of all paths take more than the budget of memory.

    Args:
        nodes: nodes by name.
        paths: names of the nodes of each path. Each path has weights of its own.
    """
    total = 0
    for path in paths:
        total += _BYTES * max((weights_of(nodes[name]) for name in path), default=0)
        check_memory(total, "the weights of the graph's paths", LoweringError)


def check_delay(name: str, delay: np.ndarray, source: Shape) -> None:
    """Raise LoweringError if the values that a delay keeps take more than the budget of memory.

    Args:
        name: name of the node that delays.
        delay: time steps so far along the path.
        source: shape of what is delayed.
    """
    steps = int(np.max(delay))
    what = f"node {name!r}: a history of {steps:,} time steps"
    check_memory(_BYTES * steps * math.prod(source), what, LoweringError)


def check_additions(
    nodes: Mapping[str, nir.NIRNode],
    shapes: Mapping[str, Shape],
    paths: Iterable[Sequence[str]],
    time_steps: int,
) -> None:
    """Raise LoweringError if a sample takes more additions than the budget of work.

    Args:
        nodes: nodes by name.
        shapes: shapes of their outputs.
        paths: names of the nodes of each path.
        time_steps: time steps of a sample.
    """
    total = time_steps * sum(map(math.prod, shapes.values()))
    for path in paths:
        for name in path:
            total += time_steps * math.prod(shapes[name]) * fan_in(nodes[name])
    check_work(total, f"the graph, in {time_steps:,} time steps,", LoweringError)


def weights_of(node: nir.NIRNode) -> int:
    """Return the number of a node's weights."""
    weight = getattr(node, "weight", getattr(node, "scale", None))
    return 0 if weight is None else math.prod(np.shape(weight))


def fan_in(node: nir.NIRNode) -> int:
    """Return the number of values that a linear node adds up for each of its outputs."""
    if isinstance(node, nir.AvgPool2d | nir.SumPool2d):
        sides = np.broadcast_to(np.asarray(node.kernel_size), 2).tolist()
        return int(sides[0]) * int(sides[1])
    weight = getattr(node, "weight", None)
    return 1 if weight is None else math.prod(np.shape(weight)[1:])
