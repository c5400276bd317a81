"""Parameters of NIR nodes as numpy arrays of the neurons' shape, whatever a framework wrote."""

import copy
import dataclasses
import math
from collections.abc import Callable

import nir
import numpy as np
import torch

from stochi.deploy.graph.shown_graph import NIRGraph
from stochi.errors import LoweringError

Shape = tuple[int, ...]


def as_array(values: object) -> np.ndarray:
    """Return numbers as a float64 array: torch tensors of any type, arrays, lists and scalars."""
    if isinstance(values, torch.Tensor):
        return values.detach().cpu().double().numpy()
    return np.asarray(values, np.float64)


def with_arrays(node: nir.NIRNode) -> nir.NIRNode:
    """Return a copy of a node whose torch tensors are numpy arrays.

    Half types that numpy does not have become float32.
    """
    found = copy.copy(node)
    for field in dataclasses.fields(node):
        value = getattr(node, field.name, None)
        if isinstance(value, torch.Tensor):
            plain = value.detach().cpu()
            setattr(
                found, field.name, (plain.float() if plain.dtype.itemsize < 4 else plain).numpy()
            )
    return found


def spread(name: str, what: str, values: np.ndarray, shape: Shape) -> np.ndarray:
    """Give a parameter the shape of its neurons, if there is only one way to do so.

    A single value is for all neurons. Axes of size 1 may be missing or added in front, and a
    parameter of shape (C,) belongs to the channels of neurons (C, …), unless their last axis has
    C places too.

    Args:
        name: the node's name, for errors.
        what: the parameter's name, for errors.
        shape: shape of the neurons.

    Raises:
        LoweringError: the shapes do not fit, or fit in two ways.
    """
    if values.shape == shape:
        return values
    if values.size == 1:
        return np.broadcast_to(values.reshape(()), shape)
    stripped = _without_leading_ones(values, len(shape))
    if stripped.size == math.prod(shape) and _squeezed(stripped.shape) == _squeezed(shape):
        return stripped.reshape(shape)
    if stripped.ndim == len(shape) and all(
        size in (1, place) for size, place in zip(stripped.shape, shape, strict=True)
    ):
        return np.broadcast_to(stripped, shape)
    if stripped.ndim == 1 and len(shape) > 1 and len(stripped) == shape[0] != shape[-1]:
        return np.broadcast_to(stripped.reshape((-1,) + (1,) * (len(shape) - 1)), shape)
    raise LoweringError(
        f"node {name!r}: {what} of shape {values.shape} does not fit neurons of shape {shape} in"
        f" exactly one way; give it the shape {shape}, {(shape[0], *(1,) * (len(shape) - 1))} or ()"
    )


def _without_leading_ones(values: np.ndarray, dimensions: int) -> np.ndarray:
    while values.ndim > dimensions and values.shape[0] == 1:
        values = values[0]
    return values


def _squeezed(shape: Shape) -> Shape:
    return tuple(size for size in shape if size != 1)


def map_nodes(
    graph: nir.NIRGraph, change: Callable[[str, nir.NIRNode], nir.NIRNode], prefix: str = ""
) -> nir.NIRGraph:
    """Return a copy of a graph with every node changed, those of inner graphs as ``outer.inner``.

    The types that the nodes declare stay as they are.
    """
    nodes = {
        name: map_nodes(node, change, f"{prefix}{name}.")
        if isinstance(node, nir.NIRGraph)
        else change(prefix + name, node)
        for name, node in graph.nodes.items()
    }
    noted = dict(graph.metadata) if isinstance(graph.metadata, dict) else {}
    return NIRGraph(nodes, list(graph.edges), noted, type_check=False)
