"""A cheap attack that makes the changes with the largest gradients, in a few rounds."""

from dataclasses import dataclass

import torch

from stochi.attacks.events.gradient import EventGradientAttack, Surface, break_ties
from stochi.attacks.events.menu import Menu
from stochi.attacks.events.selection import select
from stochi.attacks.objectives import cross_entropy


@dataclass(frozen=True)
class TopGradient(EventGradientAttack):
    """Spend the budget in equal parts on the changes with the largest gradients of the loss.

    With one iteration it is for events what FGSM is for images. It asks for nothing but a few
    gradients, so it suits adversarial training; :class:`SparseGradient` is stronger.

    Attributes:
        iterations: number of rounds, one forward and one backward pass each.
    """

    iterations: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts("iterations")

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"top gradient-{self.iterations} {self.sampled}"

    def search(
        self, surface: Surface, menu: Menu, limits: torch.Tensor, generator: torch.Generator
    ) -> list[torch.Tensor]:
        """Make the changes; those that the gradient thinks to lower the loss are left out."""
        made = menu.none()
        for number in range(1, self.iterations + 1):
            slope = surface.slope(menu.frames(menu.events(made)), cross_entropy)
            values = break_ties(menu.values(slope.gradients), generator)
            share = limits * number // self.iterations - made.sum(1)
            made = made | select(menu, values.masked_fill(values < 0, -torch.inf), share, made)
        return [menu.events(made)]
