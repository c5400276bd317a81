"""The corner attack: events that grow from the corners of the image."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from stochi.attacks.events.insertion import UNUSED
from stochi.attacks.events.menu import Grid
from stochi.attacks.events.patterns import PatternAttack, polarity_choices, spread_ranks

CORNERS = {
    "top left": ((False, False),),
    "top right": ((False, True),),
    "bottom left": ((True, False),),
    "bottom right": ((True, True),),
    "all corners": ((False, False), (False, True), (True, False), (True, True)),
}
"""Corners by name: whether each is at the bottom, and whether it is at the right."""


@dataclass(frozen=True)
class Triangles:
    """Events in corners, at all time steps, the pixels nearest to a corner first.

    Attributes:
        name: name in reports.
        polarities: polarities of the events.
        corners: the corners, as in ``CORNERS``.
        size: number of pixels of a triangle's two sides along the border.
    """

    name: str
    polarities: tuple[int, ...]
    corners: tuple[tuple[bool, bool], ...]
    size: int

    def ranks(self, grid: Grid) -> torch.Tensor:
        """Return the order of insertion."""
        steps, _, height, width = grid
        rows, columns = torch.arange(height), torch.arange(width)
        away = torch.stack(
            [
                (rows.flip(0) if bottom else rows)[:, None]
                + (columns.flip(0) if right else columns)
                for bottom, right in self.corners
            ]
        ).amin(0)
        # Pixels as far away as each other take turns, each of them at all time steps.
        turn = (away * height + rows[:, None]) * width + columns
        ordered = turn * steps + torch.arange(steps)[:, None, None]
        ranks = torch.where(away < self.size, ordered, UNUSED)
        return spread_ranks(ranks, self.polarities, grid)


@dataclass(frozen=True)
class CornerAttack(PatternAttack):
    """Insert events in the corners (DVS-Attacks; Marchisio et al., IJCNN 2021).

    As in the paper, the events begin in a corner and spread from there, here until the budget is
    spent. Variants are single corners and all together.

    Attributes:
        size: number of pixels, along the border, by which the events may spread from a corner.
    """

    size: int = field(default=8, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts("size")

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"corner (EOT {self.draws}){self.kinds_title}"

    def patterns(self, grid: Grid) -> Sequence[Triangles]:
        """Return all variants on a grid."""
        return [
            Triangles(f"{name}, {where}", chosen, corners, self.size)
            for name, chosen in polarity_choices(grid).items()
            for where, corners in CORNERS.items()
        ]
