"""The order in which a time step computes a network's layers."""

from collections.abc import Callable


def order_layers(layers: list[str], sources: Callable[[str], list[str]]) -> list[str]:
    """Order layers so that each comes after its sources.

    The order of a loop starts at the layer nearest to the input. A layer that comes before one of
    its sources takes that source's spikes a time step later.

    Args:
        layers: names, in the graph's order, which decides between equals.
        sources: function from a layer to its sources; names that are not in ``layers`` are inputs.
    """
    before = {name: [s for s in sources(name) if s in layers] for name in layers}
    distance = _distances(layers, before, sources)
    ancestors = {name: _reachable(name, before) for name in layers}
    placed: list[str] = []
    while len(placed) < len(layers):
        left = [name for name in layers if name not in placed]
        # Layers that wait for nothing outside their own loop.
        ready = [
            name
            for name in left
            if all(s in placed or s == name or name in ancestors[s] for s in ancestors[name])
        ]
        free = [name for name in ready if all(s in placed or s == name for s in before[name])]
        placed.append(min(free or ready, key=lambda name: (distance[name], layers.index(name))))
    return placed


def _distances(
    layers: list[str], before: dict[str, list[str]], sources: Callable[[str], list[str]]
) -> dict[str, int]:
    """Count the layers between each layer and the input."""
    distance = {name: 0 for name in layers if len(before[name]) < len(sources(name))}
    found = True
    while found:
        found = False
        for name in layers:
            reached = [distance[s] + 1 for s in before[name] if s in distance]
            if reached and min(reached) < distance.get(name, len(layers) + 1):
                distance[name] = min(reached)
                found = True
    return {name: distance.get(name, len(layers)) for name in layers}


def _reachable(name: str, before: dict[str, list[str]]) -> set[str]:
    """Find all layers whose spikes reach a layer, directly or through others."""
    seen: set[str] = set()
    waiting = list(before[name])
    while waiting:
        source = waiting.pop()
        if source not in seen:
            seen.add(source)
            waiting += before[source]
    return seen
