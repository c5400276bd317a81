"""Why a layer does not fit, and the smallest change with which it does, found by trying."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from stochi.deploy.mapping.blocks import make_grid
from stochi.deploy.mapping.incoming import Part, cut_sources, cut_weights, fan_in
from stochi.deploy.mapping.rules import find_problem
from stochi.deploy.mapping.splitting import Grids, Splitter
from stochi.hardware.cores import WEIGHT_BITS


def explain(splitter: Splitter, name: str, grids: Grids) -> str:
    """Return why a layer that was not split fits no core, and the smallest change that helps."""
    problem = _single_neuron(splitter, name, grids)
    if problem is None:
        return f"layer {name!r} fits no core together with the layers that it feeds"
    what, _, advice = problem.partition("; ")
    changes = _changes(splitter, name, grids)
    found = " or ".join(changes) if changes else advice
    chip = splitter.core.chip
    return f"on {chip}, a neuron of layer {name!r} needs {what}; smallest change that fits: {found}"


def _single_neuron(splitter: Splitter, name: str, grids: Grids) -> str | None:
    """Return the rule that a single neuron on a core breaks, by its inputs if it can be."""
    part = splitter.parts[name]
    grid = make_grid(part.image, part.image)
    for block in grid.blocks():
        found = find_problem(fan_in(part, block), splitter.core)
        if found is not None:
            return found
    uses = splitter.use_of_blocks(name, grid, grids)
    return next((found for _, use in uses if (found := find_problem(use, splitter.core))), None)


def _changes(splitter: Splitter, name: str, grids: Grids) -> list[str]:
    """Return changes with each of which the layer fits."""
    part = splitter.parts[name]

    def fits(changed: Part) -> bool:
        tried = replace(splitter, parts={**splitter.parts, name: changed})
        return bool(tried.cheapest(name, grids, 1))

    found = []
    widest = max((one.image[0] for one in part.connections), default=0)
    channels = _largest(range(1, widest), lambda count: fits(cut_sources(part, count)))
    if channels is not None:
        places = max(one.image[1] * one.image[2] for one in part.connections)
        what = "channels" if places > 1 else "inputs"
        each = " in each of its sources" if len(part.connections) > 1 else ""
        found.append(f"at most {channels:,} {what}{each} (it has {widest:,})")
    most = max((one.fields.weight_bits for one in part.connections), default=0)
    fewer = [bits for bits in WEIGHT_BITS if bits < most]
    bits = _largest(fewer, lambda count: fits(cut_weights(part, count)))
    if bits is not None:
        found.append(f"weights of {bits} bits (they have {most})")
    return found


def _largest(options: Sequence[int], fits: Callable[[int], bool]) -> int | None:
    """Return the largest option that fits, if smaller ones fit when larger ones do."""
    low, high = 0, len(options)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if fits(options[middle]) else (low, middle)
    return options[low - 1] if low else None
