"""Random noise of the same size: what any attack worth its name must beat."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from stochi.attacks.base import ImageAttack


@dataclass(frozen=True)
class UniformNoise(ImageAttack):
    """A uniform draw from the ε-ball; knows nothing of the model."""

    uses_model: ClassVar[bool] = False
    uses_gradients: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """How the attack is called in reports."""
        return f"uniform noise, ε = {self.epsilon:g}"

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """One draw."""
        return self.random_start(inputs, generator)
