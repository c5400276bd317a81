"""The fast gradient sign method."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from stochi.attacks.expectation import expected_gradient
from stochi.attacks.gradient import GradientAttack


@dataclass(frozen=True)
class FGSM(GradientAttack):
    """One step of size ε along the sign of the expected gradient (Goodfellow et al., ICLR 2015)."""

    single_step: ClassVar[bool] = True

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"FGSM {self.sampled}"

    def climb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
        random: bool,
    ) -> list[torch.Tensor]:
        """Take the step."""
        gradient = expected_gradient(model, inputs, labels, self.draws)
        return [self.project(inputs + self.epsilon * gradient.sign(), inputs)]
