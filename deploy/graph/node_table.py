"""A NIR graph's nodes as a table: rows of text, whatever the graph holds."""

import dataclasses
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import nir
import numpy as np
import torch

from stochi.deploy.graph.order import order_layers
from stochi.plain_text import counted, shorten_repr

NOTHING = "–"
TEXT_COLUMNS = 3
"""Columns at the left that hold words."""
_GEOMETRY = {
    *("input_type", "output_type", "metadata", "input_shape"),
    *("stride", "padding", "dilation", "groups", "kernel_size", "start_dim", "end_dim"),
}
"""Fields of nodes that are not parameters."""
_NAMED = 8
"""The most nodes that are named in a cell, and values that are shown of the metadata."""


def node_rows(graph: nir.NIRGraph, most: int | None = None) -> list[list[str]]:
    """Return a row for each node after the head, in the order in which they compute.

    The nodes of an inner graph follow it, as ``outer.inner``. An edge that leads back is called
    so: in a loop, it arrives a time step later.

    Args:
        graph: a graph, which may be wrong.
        most: the most rows; None for all.
    """
    head = ["node", "kind", "to", "input", "output", "parameters"]
    return [head, *islice(_rows(graph, ""), most)]


def count_nodes(graph: nir.NIRGraph) -> int:
    """Return the number of nodes, those of inner graphs included."""
    return sum(len(inner.nodes) for inner in _graphs(graph))


def count_edges(graph: nir.NIRGraph) -> int:
    """Return the number of edges, those of inner graphs included."""
    return sum(len(inner.edges) for inner in _graphs(graph))


def count_parameters(graph: nir.NIRGraph) -> int:
    """Return the number of parameters of all nodes."""
    return sum(_parameters(node) for inner in _graphs(graph) for node in inner.nodes.values())


def size_in_words(graph: nir.NIRGraph) -> str:
    """Return the numbers of nodes, edges and parameters in words."""
    nodes, edges = counted(count_nodes(graph), "node"), counted(count_edges(graph), "edge")
    return f"{nodes}, {edges}, {counted(count_parameters(graph), 'parameter')}"


def noted_in_words(graph: nir.NIRGraph) -> str:
    """Return what the graph's metadata say, shortened."""
    noted = graph.metadata if isinstance(graph.metadata, Mapping) else {}
    shown = [f"{name}: {_value(noted[name])}" for name in islice(noted, _NAMED)]
    return ", ".join([*shown, *["…"] * (len(noted) > _NAMED)])


def _graphs(graph: nir.NIRGraph) -> list[nir.NIRGraph]:
    """Return a graph and its inner graphs, each once."""
    found, waiting = {id(graph): graph}, [graph]
    while waiting:
        for node in waiting.pop().nodes.values():
            if isinstance(node, nir.NIRGraph) and id(node) not in found:
                found[id(node)] = node
                waiting.append(node)
    return list(found.values())


def _rows(graph: nir.NIRGraph, prefix: str) -> Iterator[list[str]]:
    order = _in_order(graph)
    place = {name: number for number, name in enumerate(order)}
    after: dict[str, list[str]] = {name: [] for name in order}
    for source, target in graph.edges:
        if source in after:
            back = place.get(target, len(order)) <= place[source]
            after[source].append(f"back to {target}" if back else f"{target}")
    for name in order:
        node, inner = graph.nodes[name], isinstance(graph.nodes[name], nir.NIRGraph)
        size = f" of {counted(len(node.nodes), 'node')}" if inner else ""
        shapes = (_shape(getattr(node, what, None)) for what in ("input_type", "output_type"))
        parameters = count_parameters(node) if inner else _parameters(node)
        to = [*after[name][:_NAMED], *["…"] * (len(after[name]) > _NAMED)]
        kind = f"{type(node).__name__}{size}"
        yield [f"{prefix}{name}", kind, ", ".join(to) or NOTHING, *shapes, f"{parameters:,}"]
        if inner:
            yield from _rows(node, f"{prefix}{name}.")


def _in_order(graph: nir.NIRGraph) -> list[str]:
    """Return the nodes' names, each after what feeds it, as far as there are no loops."""
    first = [name for name, node in graph.nodes.items() if isinstance(node, nir.Input)]
    before: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for source, target in graph.edges:
        if target in before and source in before:
            before[target].append(source)
    others = [name for name in graph.nodes if name not in first]
    return [*first, *order_layers(others, before.__getitem__)]


def _parameters(node: Any) -> int:
    """Return the number of a node's parameters: weights, biases, time constants, thresholds."""
    if isinstance(node, nir.NIRGraph) or not dataclasses.is_dataclass(node):
        return 0
    names = (field.name for field in dataclasses.fields(node) if field.name not in _GEOMETRY)
    return sum(_size(getattr(node, name, None)) for name in names)


def _size(values: Any) -> int:
    if values is None:
        return 0
    return int(values.numel()) if isinstance(values, torch.Tensor) else int(np.size(values))


def _shape(types: Any) -> str:
    """Return a type of NIR, port → shape, as text."""
    if not isinstance(types, Mapping) or not types:
        return NOTHING
    return ", ".join(_one_shape(shape) for shape in types.values())


def _one_shape(shape: Any) -> str:
    if shape is None:
        return NOTHING
    return "×".join(str(size) for size in np.ravel(shape)) or "1"


def _value(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, str):
        return value
    return shorten_repr(value.item() if isinstance(value, np.generic) else value)
