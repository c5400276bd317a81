"""The fast gradient sign method."""

from dataclasses import dataclass

import torch
from torch import nn

from stochi.attacks.gradient import GradientAttack


@dataclass(frozen=True)
class FGSM(GradientAttack):
    """One step of size ε along the sign of the expected gradient (Goodfellow et al., ICLR 2015)."""

    @property
    def name(self) -> str:
        """How the attack is called in reports."""
        return f"FGSM (EOT {self.draws}), ε = {self.epsilon:g}"

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """The step."""
        gradient = self.expected_gradient(model, inputs, labels)
        return self.project(inputs + self.epsilon * gradient.sign(), inputs)
