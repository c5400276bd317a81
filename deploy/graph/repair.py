"""Repairs of NIR graph files whose shapes or names do not agree, where there is only one way.

Public files have such faults: an output that declares the shape of a batch, inner edges that name a
node by another name than its own, parameters of one value beside parameters of many.
"""

import dataclasses
import warnings
from typing import Any

import nir
import numpy as np

from stochi.deploy.graph.arrays import as_array, spread
from stochi.deploy.graph.flat import flatten
from stochi.deploy.graph.neurons import NEURONS, PARAMETERS
from stochi.deploy.graph.shapes import Shape, declared_shape, infer_shapes
from stochi.deploy.graph.shown_graph import NIRGraph
from stochi.errors import GraphError, StochiWarning

_LISTED = 3


class RepairedGraph(StochiWarning):
    """Warning that a file does not agree with itself, and how it was read."""


def read_repaired(contents: dict[str, Any], source: str, cause: str) -> nir.NIRGraph:
    """Read a file that NIR refuses, with shapes that are followed from the input.

    Args:
        contents: what the file holds of its graph, by name.
        source: the file, for the warning.
        cause: why NIR refuses it, for the warning.

    Raises:
        GraphError, LoweringError: there is no single way to repair the file.

    Warns:
        RepairedGraph: always.
    """
    found: list[str] = []
    graph = _build_graph(contents, found)
    flat = flatten(graph)
    shapes = infer_shapes(flat)
    missing = [name for name in flat.nodes if name not in shapes]
    if missing:
        raise GraphError(f"the input does not lead to {', '.join(missing)}")
    found += _set_shapes(graph, shapes, "")
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    listed = "; ".join(found[:_LISTED]) + more or "no shape changed"
    warnings.warn(
        f"{source}: NIR does not accept this file ({cause}); it was repaired, with the shapes that"
        f" follow from its input: {listed}",
        RepairedGraph,
        stacklevel=3,
    )
    return graph


def _build_graph(data: dict[str, Any], found: list[str]) -> nir.NIRGraph:
    """Build a graph and its inner graphs without checks of types; add what changed to ``found``."""
    nodes = {name: _build_node(node, found) for name, node in data["nodes"].items()}
    edges = [(_text(a), _text(b)) for a, b in data["edges"]]
    named = {end for edge in edges for end in edge}
    unknown, unused = named - set(nodes), set(nodes) - named
    if len(unknown) == len(unused) == 1:
        renamed = {unknown.pop(): unused.pop()}
        found += [f"edges of {a!r} are those of {b!r}" for a, b in renamed.items()]
        edges = [(renamed.get(a, a), renamed.get(b, b)) for a, b in edges]
    return NIRGraph(nodes, edges, data.get("metadata", {}), type_check=False)


def _build_node(data: dict[str, Any], found: list[str]) -> nir.NIRNode:
    if data["type"] == "NIRGraph":
        return _build_graph(data, found)
    parameters = {name: np.asarray(data[name]) for name in PARAMETERS if name in data}
    if len({values.shape for values in parameters.values()}) > 1:
        shape = max((values.shape for values in parameters.values()), key=np.prod)
        data = data | {
            name: spread(data["type"], name, values, shape) for name, values in parameters.items()
        }
    return nir.dict2NIRNode(data)


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _set_shapes(graph: nir.NIRGraph, shapes: dict[str, Shape], prefix: str) -> list[str]:
    """Give every node its shape; return what changed, as lines."""
    changed = []
    for name, node in graph.nodes.items():
        full = prefix + name
        if isinstance(node, nir.NIRGraph):
            changed += _set_shapes(node, shapes, f"{full}.")
        elif full in shapes:
            declared, shape = declared_shape(node), shapes[full]
            if declared is not None and declared != shape:
                changed.append(f"{full!r} has shape {shape}, not {declared}")
            node.output_type = {"output": np.array(shape, int)}
            if isinstance(node, NEURONS):
                _spread_parameters(full, node, shape)
    for name, node in graph.nodes.items():
        before = [graph.nodes[a] for a, b in graph.edges if b == name]
        if isinstance(node, nir.Input) and prefix:
            after = [graph.nodes[b] for a, b in graph.edges if a == name]
            known = [n.output_type for n in after if isinstance(n, (*NEURONS, nir.Output))]
            node.output_type = (
                {"output": next(iter(known[0].values()))} if known else node.output_type
            )
        if isinstance(node, nir.Output) and before:
            node.output_type = {"output": next(iter(before[0].output_type.values()))}
        arriving = before[0].output_type if before else node.output_type
        if not isinstance(node, nir.NIRGraph):
            node.input_type = {"input": next(iter(arriving.values()))}
        if isinstance(node, nir.Conv1d | nir.Conv2d):
            sizes = tuple(int(size) for size in node.input_type["input"][1:])
            node.input_shape = sizes if isinstance(node, nir.Conv2d) else sizes[0]
    graph.__post_init__()
    return changed


def _spread_parameters(name: str, node: nir.NIRNode, shape: Shape) -> None:
    for field in dataclasses.fields(node):
        if field.name in PARAMETERS and getattr(node, field.name) is not None:
            values = as_array(getattr(node, field.name))
            setattr(node, field.name, np.array(spread(name, field.name, values, shape)))
