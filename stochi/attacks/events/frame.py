"""The frame attack: events along the border of the image."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from stochi.attacks.events.insertion import UNUSED
from stochi.attacks.events.menu import Grid
from stochi.attacks.events.patterns import PatternAttack, polarity_choices, spread_ranks

WINDOWS = 4
"""Number of time steps, evenly apart, and of places on the border at which a frame may begin."""


@dataclass(frozen=True)
class Border:
    """Events on the outermost pixels.

    Attributes:
        name: name in reports.
        polarities: polarities of the events.
        start: k of ``WINDOWS``, where the order begins.
        whole: whether each step's border is filled before the next step's; if not, each pixel of
            the border gets events at all steps before the next pixel does.
    """

    name: str
    polarities: tuple[int, ...]
    start: int
    whole: bool

    def ranks(self, grid: Grid) -> torch.Tensor:
        """Return the order of insertion."""
        steps, _, height, width = grid
        rows, columns = border_walk(height, width).unbind(1)
        walk, length = torch.arange(len(rows)), len(rows)
        time = torch.arange(steps)[:, None]
        if self.whole:
            ordered = (time - steps * self.start // WINDOWS) % steps * length + walk
        else:
            ordered = (walk - length * self.start // WINDOWS) % length * steps + time
        ranks = torch.full((steps, height, width), UNUSED)
        ranks[:, rows, columns] = ordered
        return spread_ranks(ranks, self.polarities, grid)


@dataclass(frozen=True)
class FrameAttack(PatternAttack):
    """Insert events along the border (DVS-Attacks; Marchisio et al., IJCNN 2021).

    The paper fills the whole border at all time steps, without a budget. Within a budget, variants
    are whole borders from one of some time steps on, or parts of the border at all time steps.
    """

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"frame (EOT {self.draws}){self.kinds_title}"

    def patterns(self, grid: Grid) -> Sequence[Border]:
        """Return all variants on a grid."""
        return [
            Border(
                f"{name}, {'time' if whole else 'place'} {start + 1}/{WINDOWS}",
                chosen,
                start,
                whole,
            )
            for name, chosen in polarity_choices(grid).items()
            for whole in (True, False)
            for start in range(WINDOWS)
        ]


def border_walk(height: int, width: int) -> torch.Tensor:
    """Return the rows and columns of the border, clockwise from the top left, (pixels, 2)."""
    top = [(0, x) for x in range(width)]
    right = [(y, width - 1) for y in range(1, height)]
    bottom = [(height - 1, x) for x in reversed(range(width - 1))] if height > 1 else []
    left = [(y, 0) for y in reversed(range(1, height - 1))] if width > 1 else []
    return torch.tensor(top + right + bottom + left)
