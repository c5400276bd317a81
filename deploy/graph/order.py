"""The order in which a time step computes a network's layers."""

import heapq
from collections import deque
from collections.abc import Callable


def order_layers(layers: list[str], sources: Callable[[str], list[str]]) -> list[str]:
    """Order layers so that each comes after its sources.

    The order of a loop starts at the layer nearest to the input. A layer that comes before one of
    its sources takes that source's spikes a time step later.

    Args:
        layers: names, in the graph's order, which decides between equals.
        sources: function from a layer to its sources; names that are not in ``layers`` are inputs.
    """
    place = {name: number for number, name in enumerate(layers)}
    given = {name: sources(name) for name in layers}
    before = {name: [s for s in dict.fromkeys(given[name]) if s in place] for name in layers}
    after: dict[str, list[str]] = {name: [] for name in layers}
    for name, its in before.items():
        for source in its:
            after[source].append(name)
    fed = [name for name in layers if any(source not in place for source in given[name])]
    distance = _distances(fed, after)
    loop = _loops(layers, before)
    rank = {name: (distance.get(name, len(layers)), place[name]) for name in layers}
    # A layer is ready if it waits for nothing outside its own loop, and free if for nothing at all.
    outside = dict.fromkeys(loop.values(), 0)
    for name in layers:
        outside[loop[name]] += sum(loop[source] != loop[name] for source in before[name])
    waits = {name: sum(source != name for source in before[name]) for name in layers}
    ready = [(*rank[name], name) for name in layers if not outside[loop[name]]]
    free = [entry for entry in ready if not waits[entry[2]]]
    members: dict[str, list[str]] = {}
    for name in layers:
        members.setdefault(loop[name], []).append(name)
    heapq.heapify(ready)
    heapq.heapify(free)
    placed: dict[str, None] = {}
    left = {of: len(its) for of, its in members.items()}
    while len(placed) < len(layers):
        name = heapq.heappop(free or ready)[2]
        if name in placed:
            continue
        placed[name] = None
        left[loop[name]] -= 1
        opened = [later for later in after[name] if later != name]
        for later in opened:
            waits[later] -= 1
        if not left[loop[name]]:
            for later in [la for one in members[loop[name]] for la in after[one]]:
                if loop[later] != loop[name]:
                    outside[loop[later]] -= 1
                    if not outside[loop[later]]:
                        opened += members[loop[later]]
        for one in opened:
            if not outside[loop[one]]:
                heapq.heappush(ready, (*rank[one], one))
                if not waits[one]:
                    heapq.heappush(free, (*rank[one], one))
    return list(placed)


def _distances(fed: list[str], after: dict[str, list[str]]) -> dict[str, int]:
    """Count the layers between the input and each layer that it leads to."""
    distance = dict.fromkeys(fed, 0)
    waiting = deque(fed)
    while waiting:
        name = waiting.popleft()
        for later in after[name]:
            if later not in distance:
                distance[later] = distance[name] + 1
                waiting.append(later)
    return distance


def _loops(layers: list[str], before: dict[str, list[str]]) -> dict[str, str]:
    """Return a name for the loop of each layer: layers whose spikes reach each other.

    Tarjan's strongly connected components (SIAM Journal on Computing 1972), without recursion.
    """
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    loop: dict[str, str] = {}
    open_: list[str] = []
    for root in layers:
        walk = [] if root in number else [(root, iter(before[root]))]
        if walk:
            number[root] = lowest[root] = len(number)
            open_.append(root)
        while walk:
            name, its = walk[-1]
            for source in its:
                if source not in number:
                    number[source] = lowest[source] = len(number)
                    open_.append(source)
                    walk.append((source, iter(before[source])))
                    break
                if source not in loop:
                    lowest[name] = min(lowest[name], number[source])
            else:
                walk.pop()
                if walk:
                    lowest[walk[-1][0]] = min(lowest[walk[-1][0]], lowest[name])
                while lowest[name] == number[name] and name not in loop:
                    loop[open_.pop()] = name
    return loop
