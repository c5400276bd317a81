"""Why a layer does not fit, and the smallest change with which it does, found by trying."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from stochi.deploy.mapping.blocks import make_grid
from stochi.deploy.mapping.incoming import Part, cut_sources, cut_weights
from stochi.deploy.mapping.rules import find_problem
from stochi.deploy.mapping.splitting import Grids, Splitter
from stochi.deploy.mapping.use import Use
from stochi.hardware.cores import WEIGHT_BITS, CoreLimits


def explain(splitter: Splitter, name: str, grids: Grids) -> str:
    """Return why a layer that was not split fits no core, and the smallest change that helps."""
    broken = _single_neuron(splitter, name, grids)
    if broken is None:
        return f"layer {name!r} fits no core together with the layers that it feeds"
    use, problem = broken
    what = problem.partition("; ")[0]
    changes = _changes(splitter, name, grids)
    if not changes and any(target == name for target, _ in splitter.outgoing(name)):
        changes = ["not found by trying; it feeds itself, so give it fewer neurons"]
    found = " or ".join(changes or _wants(use, splitter.core))
    chip = splitter.core.chip
    return f"on {chip}, a neuron of layer {name!r} needs {what}; smallest change that fits: {found}"


def _single_neuron(splitter: Splitter, name: str, grids: Grids) -> tuple[Use, str] | None:
    """Return the rule that a single neuron on a core breaks, and its use, if there is one."""
    image = splitter.parts[name].image
    uses = splitter.use_of_blocks(name, make_grid(image, image), grids)
    broken = ((use, find_problem(use, splitter.core)) for _, use in uses)
    return next(((use, problem) for use, problem in broken if problem is not None), None)


def _changes(splitter: Splitter, name: str, grids: Grids) -> list[str]:
    """Return changes with each of which the layer fits."""
    part = splitter.parts[name]

    def changed_to(changed: Part) -> Splitter:
        return replace(splitter, parts={**splitter.parts, name: changed})

    def fits(changed: Part) -> bool:
        return _single_neuron(changed_to(changed), name, grids) is None

    def is_split(changed: Part) -> bool:
        """Return whether blocks of more than a neuron do not fill the axons of a loop."""
        return len(others) == len(part.connections) or bool(
            changed_to(changed).cheapest(name, grids, 1)
        )

    found = []
    others = [one for one in part.connections if one.source != name]
    widest, highest, _ = np.max([(1, 1, 1), *(one.image for one in others)], axis=0).tolist()
    each = " in each of its sources" if len(others) > 1 else ""
    channels = _largest(range(1, widest), lambda count: fits(cut_sources(part, count, highest)))
    if channels is not None and is_split(cut_sources(part, channels, highest)):
        image = any(one.image[1] * one.image[2] > 1 for one in others)
        what = "channel" if image else "input"
        found.append(f"at most {_count(channels, what)}{each} (it has {widest:,})")
    rows = _largest(range(1, highest), lambda count: fits(cut_sources(part, widest, count)))
    if rows is not None and is_split(cut_sources(part, widest, rows)):
        found.append(f"at most {_count(rows, 'row')}{each} (it has {highest:,})")
    most = max((one.fields.weight_bits for one in part.connections), default=0)
    fewer = [bits for bits in WEIGHT_BITS if bits < most]
    bits = _largest(fewer, lambda count: fits(cut_weights(part, count)))
    if bits is not None and is_split(cut_weights(part, bits)):
        found.append(f"weights of {bits} bits (they have {most})")
    return found


def _wants(use: Use, core: CoreLimits) -> list[str]:
    """Return what a neuron that breaks rules has to do without, where no change was found."""
    found = []
    if core.input_axons and use.input_axons > core.input_axons:
        many = use.input_axons - core.input_axons
        found.append(f"{_count(many, 'neuron')} fewer in its sources")
    if core.words and use.words > core.words:
        found.append(f"{_count(use.words - core.words, 'word')} fewer of synapses")
    if core.words_of_axon and use.longest_list > core.words_of_axon:
        many = use.longest_list - core.words_of_axon
        found.append(f"{_count(many, 'word')} fewer of parallel synapses")
    blocks = core.off_chip if use.off_chip else core.output_entries
    if blocks and use.output_axons > blocks:
        found.append(
            f"fewer or smaller layers behind it, on at most {blocks:,} cores (they take"
            f" {use.output_axons:,}, and with several chips all axons are taken to leave)"
        )
    if core.formats and len(use.formats) > core.formats:
        found.append(
            f"projections whose weights have at most {core.formats} different exponents, signs and"
            f" bits (they have {len(use.formats)})"
        )
    return [" and ".join(found)] if found else ["fewer inputs"]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _largest(options: Sequence[int], fits: Callable[[int], bool]) -> int | None:
    """Return the largest option that fits, if smaller ones fit when larger ones do."""
    low, high = 0, len(options)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if fits(options[middle]) else (low, middle)
    return options[low - 1] if low else None
