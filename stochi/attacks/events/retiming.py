"""An attack that moves events in time and leaves their number as it is."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch

from stochi.attacks.events.budget import MOVE_TIME, EventBudget
from stochi.attacks.events.gradient import EventGradientAttack, Surface, break_ties
from stochi.attacks.events.menu import Menu
from stochi.attacks.events.pruning import prune_by_value
from stochi.attacks.events.selection import select
from stochi.attacks.expectation import Outcome, is_worse, where_outcome
from stochi.attacks.objectives import TINY
from stochi.attacks.samplewise import choose

MOMENTUM = 0.9
"""Share of the worths that an iteration keeps."""


@dataclass(frozen=True)
class Retiming(EventGradientAttack):
    """Move events in time only, each to a free time step at its place (arXiv:2602.03284).

    The gradients of the margin, each divided by its mean size, add up to what an event is worth at
    each place and time step. Each iteration moves the events anew, the best moves first, and takes
    the gradient there. The last moves are kept, on a model that is not random the best ones on the
    way; then moves that are not needed are undone. Polarities stay, whatever the budget says.

    Attributes:
        iterations: number of iterations, each one forward and one backward pass.
        prunes: as for :class:`SparseGradient`.
    """

    usable: ClassVar[tuple[str, ...]] = (MOVE_TIME,)
    iterations: int = 30
    prunes: int = field(default=100, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts("iterations")
        self.check_counts("prunes", least=0)

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"retiming-{self.iterations} {self.sampled}"

    @property
    def used(self) -> EventBudget:
        """The budget with moves in time alone."""
        return replace(super().used, keep_polarity=True)

    def search(
        self, surface: Surface, menu: Menu, limits: torch.Tensor, generator: torch.Generator
    ) -> list[torch.Tensor]:
        """Move, then undo what is not needed."""
        made = self.move(surface, menu, limits, generator)
        moved = menu.events(made)
        if not self.prunes or not bool(made.any()):
            return [moved]
        return [prune_by_value(surface, menu, made, self.prunes), moved]

    def move(
        self, surface: Surface, menu: Menu, limits: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Return the last moves, or the best ones if the model is not random, (n, columns)."""
        made = best = menu.none()
        worth = torch.zeros(menu.clean.shape, device=made.device)
        kept: Outcome | None = None
        for iteration in range(self.iterations + 1):
            slope = surface.slope(menu.frames(menu.events(made)))
            seen = Outcome(slope.right, slope.values)
            worse = torch.ones_like(seen.right, dtype=torch.bool)
            if kept is not None and not surface.random:
                worse = is_worse(seen, kept)
            best = choose(worse, made, best)
            kept = seen if kept is None else where_outcome(worse, seen, kept)
            if iteration == self.iterations or (not surface.random and not bool(kept.right.any())):
                break
            size = slope.gradients.abs().mean(1, keepdim=True).clamp_min(TINY)
            worth = MOMENTUM * worth + slope.gradients / size
            values = break_ties(menu.values(worth), generator)
            made = select(menu, values.masked_fill(values <= 0, -torch.inf), limits)
        return best
