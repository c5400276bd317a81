"""Random changes within the budget: the baseline that every attack must beat."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from stochi.attacks.events.base import EventAttack
from stochi.attacks.events.menu import list_changes
from stochi.attacks.events.selection import select


@dataclass(frozen=True)
class RandomEvents(EventAttack):
    """As many random changes as the budget allows, drawn alike among all that it allows.

    It asks the model nothing, so ``draws`` has no effect.
    """

    uses_model: ClassVar[bool] = False
    uses_gradients: ClassVar[bool] = False

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"random events{self.kinds_title}"

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Draw once."""
        menu = list_changes(self.used, inputs)
        values = torch.rand(menu.legal.shape, generator=generator, device=inputs.device)
        made = select(menu, values, self.allowed.limits(inputs))
        return menu.frames(menu.events(made), inputs.dtype)
