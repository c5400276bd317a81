"""The paths of linear nodes that lead to a layer, counted before they are listed."""

from collections.abc import Iterator

import nir

from stochi.deploy.graph.flat import MOST_STEPS, FlatGraph
from stochi.deploy.graph.neurons import NEURONS
from stochi.errors import GraphError, LoweringError


def check_paths(flat: FlatGraph) -> None:
    """Raise unless the paths of a graph are few enough to be listed.

    Branches that meet and part again have more paths with each one: 24 in a row have 16.7 million.

    Raises:
        LoweringError: a node feeds itself over linear nodes, or there are too many paths.
        GraphError: nothing feeds a linear node that is on a path.
    """
    counted: dict[str, tuple[int, int]] = {}
    total = 0
    for name, node in flat.nodes.items():
        if isinstance(node, (*NEURONS, nir.Output)):
            total += _count(flat, name, counted)
            if total > MOST_STEPS:
                raise LoweringError(
                    f"node {name!r}: the paths that lead up to it pass {total:,} nodes, over"
                    f" {MOST_STEPS:,}, since branches meet and part again with no neuron between"
                    " them; put spiking layers where branches meet"
                )


def paths_into(flat: FlatGraph, name: str) -> Iterator[tuple[str, ...]]:
    """Yield all paths from a source (the input or a neuron) over linear nodes to a layer."""
    waiting: list[tuple[str, ...]] = [(name,)]
    while waiting:
        path = waiting.pop()
        if len(path) > 1 and _is_source(flat, path[0]):
            yield path
        else:
            waiting += [(before, *path) for before in reversed(flat.before[path[0]])]


def _count(flat: FlatGraph, layer: str, counted: dict[str, tuple[int, int]]) -> int:
    """Return the number of nodes on all paths to a layer.

    Args:
        counted: linear node → number of paths to it, and of nodes on them; added to.
    """
    walk = [(layer, iter(flat.before[layer]))]
    passed = {layer}
    found: tuple[int, int] = (0, 0)
    while walk:
        name, sources = walk[-1]
        for source in sources:
            if _is_source(flat, source) or source in counted:
                continue
            if source in passed:
                raise LoweringError(f"node {source!r} feeds itself with no neuron in between")
            if not flat.before[source]:
                raise GraphError(f"nothing feeds node {source!r}")
            passed.add(source)
            walk.append((source, iter(flat.before[source])))
            break
        else:
            walk.pop()
            passed.discard(name)
            ways = [
                (1, 1) if _is_source(flat, source) else counted[source]
                for source in flat.before[name]
            ]
            paths = sum(of for of, _ in ways)
            found = paths, sum(nodes for _, nodes in ways) + paths
            if name != layer:
                counted[name] = found
    return found[1]


def _is_source(flat: FlatGraph, name: str) -> bool:
    return isinstance(flat.nodes[name], (*NEURONS, nir.Input))
