"""The dash attack: a short line of events that moves over the image."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from stochi.attacks.events.insertion import UNUSED
from stochi.attacks.events.menu import Grid
from stochi.attacks.events.patterns import PatternAttack, polarity_choices, spread_ranks

LINES = 8
"""Number of lines, evenly apart, on which the first dash may move."""
WAYS = {"right": (False, False), "left": (False, True), "down": (True, False), "up": (True, True)}
"""Ways of a dash by name: whether it moves along a column, and whether backwards."""


@dataclass(frozen=True)
class MovingDash:
    """Dashes that move along lines, one a line; the next line's follows the one before.

    Attributes:
        name: name in reports.
        polarities: polarities of the events.
        way: the way of movement, as in ``WAYS``.
        first: k of ``LINES``, the line of the first dash.
        length: number of pixels of a dash.
        dwell: number of time steps for which it stays at a place.
    """

    name: str
    polarities: tuple[int, ...]
    way: tuple[bool, bool]
    first: int
    length: int
    dwell: int

    def ranks(self, grid: Grid) -> torch.Tensor:
        """Return the order of insertion."""
        steps, _, height, width = grid
        upright, backwards = self.way
        lines, pixels = (width, height) if upright else (height, width)
        length = min(self.length, pixels)
        time, part = torch.arange(steps)[:, None], torch.arange(length)
        # At the end of the line a dash begins again.
        at = (time // self.dwell * length + part) % pixels
        at = pixels - 1 - at if backwards else at
        turn = (torch.arange(lines) - lines * self.first // LINES) % lines
        ordered = (turn[:, None, None] * steps + time) * length + part
        ranks = torch.full((steps, lines, pixels), UNUSED)
        ranks.scatter_(2, at[:, None].expand(-1, lines, -1), ordered.transpose(0, 1))
        return spread_ranks(ranks.mT if upright else ranks, self.polarities, grid)


@dataclass(frozen=True)
class DashAttack(PatternAttack):
    """Insert moving dashes (DVS-Attacks; Marchisio et al., IJCNN 2021).

    A dash is a few pixels in a line. It stays for some time steps and moves on by its own length.
    When its events are all inserted, a dash on the next line follows, until the budget is spent.
    Variants are the way of movement, the first line and the polarity.

    Attributes:
        length: number of pixels of a dash, 2 in the paper.
        dwell: number of time steps for which it stays at a place.
    """

    length: int = field(default=2, kw_only=True)
    dwell: int = field(default=3, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts("length", "dwell")

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"dash (EOT {self.draws}){self.kinds_title}"

    def patterns(self, grid: Grid) -> Sequence[MovingDash]:
        """Return all variants on a grid."""
        return [
            MovingDash(
                f"{name}, {where}, line {first + 1}/{LINES}",
                chosen,
                way,
                first,
                self.length,
                self.dwell,
            )
            for name, chosen in polarity_choices(grid).items()
            for where, way in WAYS.items()
            for first in range(LINES)
        ]
