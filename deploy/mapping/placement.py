"""Placement of blocks on cores, and of cores on chips.

First fit: each block, in the Program's order, goes to the first core of the current chip on which
it fits beside what is there; if there is none, to a new core; if the chip is full, to a new chip.
"""

from dataclasses import dataclass, field

from stochi.deploy.mapping.blocks import Block
from stochi.deploy.mapping.rules import find_problem
from stochi.deploy.mapping.use import Use
from stochi.hardware.cores import CoreLimits


@dataclass(frozen=True)
class Piece:
    """A block of a layer's neurons, and what it uses."""

    layer: str
    block: Block
    use: Use


@dataclass
class OpenCore:
    """A core that is being filled."""

    pieces: list[Piece] = field(default_factory=list)
    use: Use = field(default_factory=Use)


def place(pieces: list[Piece], core: CoreLimits) -> list[list[OpenCore]]:
    """Place blocks, each of which fits a core alone.

    Returns:
        The cores of each chip.
    """
    chips: list[list[OpenCore]] = []
    for piece in pieces:
        _find_core(chips, piece, core).pieces.append(piece)
    return chips


def _find_core(chips: list[list[OpenCore]], piece: Piece, core: CoreLimits) -> OpenCore:
    chip = chips[-1] if chips else []
    if not chips or _is_full(chip, piece, core):
        chips.append([])
        chip = chips[-1]
    for found in chip:
        if _has_room(found.use, piece.use, core):
            both = found.use + piece.use
            if find_problem(both, core) is None:
                found.use = both
                return found
    if len(chip) == core.cores:
        chips.append([])
        chip = chips[-1]
    chip.append(OpenCore(use=piece.use))
    return chip[-1]


def _has_room(used: Use, more: Use, core: CoreLimits) -> bool:
    """Return whether what adds up quickest leaves room; the rules then decide."""
    return used.neurons + more.neurons <= core.neurons and (
        core.words is None or used.words + more.words <= core.words
    )


def _is_full(chip: list[OpenCore], piece: Piece, core: CoreLimits) -> bool:
    """Return whether a chip's own limits leave no room for a block."""
    for what, limit in (("neurons", core.chip_neurons), ("synapses", core.chip_synapses)):
        if limit is not None:
            used = sum(getattr(found.use, what) for found in chip)
            if used + getattr(piece.use, what) > limit:
                return True
    return False
