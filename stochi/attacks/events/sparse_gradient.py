"""A sparse attack that grows changes by gradients, and then drops those that are not needed."""

from dataclasses import dataclass, field

import torch

from stochi.attacks.events.gradient import EventGradientAttack, Surface, break_ties
from stochi.attacks.events.menu import Menu
from stochi.attacks.events.pruning import prune_by_value
from stochi.attacks.events.selection import select
from stochi.attacks.expectation import expected_outcome, judging_rounds

GROWTH = 4
"""An iteration makes one further change for this many that were made before, and at least one."""


@dataclass(frozen=True)
class SparseGradient(EventGradientAttack):
    """Find few changes by gradients and finite differences; the idea of PDSG-SDA.

    Each iteration ranks all changes by the gradient of the margin, and measures the margin after
    each one of the best. The best of those are made: one at first, later a quarter of those that
    were made before. A sample is done when no run is right, confirmed over fresh ones. Then the
    changes that are not needed are dropped, half of them at once, a quarter, and so on to single
    ones. Lun et al., CVPR 2025 (Sparse Dynamic Attack).

    Attributes:
        iterations: largest number of iterations, each one forward and one backward pass, and a
            forward pass of the samples that are not done for each of the ``probes``.
        probes: changes that are measured in an iteration; 0 trusts the gradient alone.
        prunes: largest number of times that a sample is asked for what it needs, ``draws`` runs
            each; 0 drops nothing.
    """

    iterations: int = 100
    probes: int = field(default=8, kw_only=True)
    prunes: int = field(default=100, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts("iterations")
        self.check_counts("probes", "prunes", least=0)

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"sparse gradient-{self.iterations} {self.sampled}"

    def search(
        self, surface: Surface, menu: Menu, limits: torch.Tensor, generator: torch.Generator
    ) -> list[torch.Tensor]:
        """Grow, then prune."""
        made = self.grow(surface, menu, limits, generator)
        grown = menu.events(made)
        if not self.prunes or not bool(made.any()):
            return [grown]
        pruned = prune_by_value(surface, menu, made, self.prunes)
        return [pruned] if not surface.random else [pruned, grown]

    def grow(
        self, surface: Surface, menu: Menu, limits: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Return changes after which no run is right, or as many as are allowed, (n, columns)."""
        made = menu.none()
        done = torch.zeros_like(surface.labels, dtype=torch.bool)
        for _ in range(self.iterations):
            events = menu.events(made)
            slope = surface.slope(menu.frames(events))
            done |= _confirmed(surface, menu.frames(events), ~done & (slope.right == 0))
            counts = made.sum(1)
            room = torch.where(done, 0, limits - counts)
            steps = torch.minimum((counts // GROWTH).clamp_min(1), room)
            if not bool((steps > 0).any()):
                break
            values = break_ties(menu.values(slope.gradients), generator)
            # Changes that the gradient thinks harmful are not made.
            values = values.masked_fill(values < 0, -torch.inf)
            new = self.next_changes(surface, menu, values, made, steps)
            if not bool(new.any()):
                break
            made = made | new
        return made

    def next_changes(
        self,
        surface: Surface,
        menu: Menu,
        values: torch.Tensor,
        made: torch.Tensor,
        steps: torch.Tensor,
    ) -> torch.Tensor:
        """Return the next changes of each sample, ``steps`` (n,) of them, (n, columns) bool."""
        measured = (steps > 0) & (steps < self.probes)
        wanted = torch.where(measured, self.probes, steps)
        tried = select(menu, values, wanted, made)
        rows = (measured & (tried.sum(1) > steps)).nonzero().flatten()
        if not len(rows):
            return tried
        count = min(self.probes, values.shape[1])
        columns = torch.where(tried, values, -torch.inf)[rows].topk(count, 1).indices
        some = menu.rows(rows)
        after = some.each(some.events(made[rows]), columns)
        labels = surface.labels[rows].repeat_interleave(count)
        margins = surface.margins(some.frames(after.flatten(0, 1)), labels).view(columns.shape)
        margins = margins.masked_fill(~tried[rows].gather(1, columns), -torch.inf)
        place = margins.argsort(dim=1, descending=True, stable=True).argsort(1)
        best = torch.zeros_like(tried[rows]).scatter(1, columns, place < steps[rows, None])
        return tried.index_put((rows,), best & tried[rows])


def _confirmed(surface: Surface, frames: torch.Tensor, wrong: torch.Tensor) -> torch.Tensor:
    """Return which samples that seem wrong are so in fresh runs, too, (n,) bool."""
    rows = wrong.nonzero().flatten()
    if not surface.random or not len(rows):
        return wrong
    draws = surface.draws
    outcome = expected_outcome(
        *(surface.model, frames[:, rows], surface.labels[rows]),
        *(draws, judging_rounds(draws), 1),
    )
    return wrong.index_put((rows,), outcome.right == 0)
