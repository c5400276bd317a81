"""A NIR graph without inner graphs: its nodes by name, and what feeds each node."""

from dataclasses import dataclass

import nir

from stochi.deploy.graph.arrays import with_arrays
from stochi.errors import GraphError, LoweringError

MOST_STEPS = 200_000
"""Most nodes on all paths of a graph together, each as often as a path passes it."""


@dataclass(frozen=True)
class FlatGraph:
    """A graph without inner graphs.

    Attributes:
        nodes: nodes by name, in the graph's order.
        before: node → the names of the nodes that feed it, in the graph's order.
        input, output: names of the input node and the output node.
    """

    nodes: dict[str, nir.NIRNode]
    before: dict[str, list[str]]
    input: str
    output: str


def flatten(graph: nir.NIRGraph) -> FlatGraph:
    """Put the nodes of inner graphs beside the others, with names ``outer.inner``.

    Raises:
        GraphError: an edge names a node that does not exist.
        LoweringError: the graph, or an inner one, does not have exactly one input and one output.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise LoweringError(
            f"the graph has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; Stochi"
            " lowers graphs with one of each"
        )
    nodes, edges = _expand(graph, "")
    # Inputs and outputs of inner graphs only pass on what they receive.
    ends = {next(iter(graph.inputs)), next(iter(graph.outputs))}
    before: dict[str, list[str]] = {name: [] for name in nodes}
    order = {name: place for place, name in enumerate(nodes)}
    for source, target in dict.fromkeys(edges):
        for name in (source, target):
            if name not in nodes:
                raise GraphError(f"an edge names {name!r}, which is not a node of the graph")
        before[target].append(source)
    for name in [n for n in nodes if _passes_on(nodes[n]) and n not in ends]:
        _join_over(name, before)
        del nodes[name]
    return FlatGraph(
        nodes,
        {name: sorted(sources, key=order.__getitem__) for name, sources in before.items()},
        next(iter(graph.inputs)),
        next(iter(graph.outputs)),
    )


def _join_over(name: str, before: dict[str, list[str]]) -> None:
    """Take out a node that only passes on what it receives, from every list that names it.

    Raises:
        LoweringError: the node feeds itself, or such nodes connect others in too many ways.
    """
    arriving = before.pop(name)
    if name in arriving:
        raise LoweringError(f"node {name!r} feeds itself with no neuron in between")
    for target, sources in before.items():
        if name in sources:
            ways = [way for s in sources for way in (arriving if s == name else (s,))]
            if len(ways) > MOST_STEPS:
                raise LoweringError(
                    f"node {target!r}: more than {MOST_STEPS:,} connections lead to it; merge some"
                )
            before[target] = ways


def _expand(
    graph: nir.NIRGraph, prefix: str
) -> tuple[dict[str, nir.NIRNode], list[tuple[str, str]]]:
    nodes: dict[str, nir.NIRNode] = {}
    edges: list[tuple[str, str]] = []
    entries, exits = {}, {}
    for name, node in graph.nodes.items():
        full = prefix + name
        if not isinstance(node, nir.NIRGraph):
            nodes[full] = with_arrays(node)
            continue
        if len(node.inputs) != 1 or len(node.outputs) != 1:
            raise LoweringError(
                f"the inner graph {full!r} has {len(node.inputs)} inputs and"
                f" {len(node.outputs)} outputs; Stochi lowers graphs with one of each"
            )
        inner_nodes, inner_edges = _expand(node, f"{full}.")
        nodes |= inner_nodes
        edges += inner_edges
        entries[full] = f"{full}.{next(iter(node.inputs))}"
        exits[full] = f"{full}.{next(iter(node.outputs))}"
    for source, target in graph.edges:
        source, target = prefix + source, prefix + target
        edges.append((exits.get(source, source), entries.get(target, target)))
    return nodes, edges


def _passes_on(node: nir.NIRNode) -> bool:
    return isinstance(node, nir.Input | nir.Output | nir.ir.graph.Identity)
