"""Random noise within the ε-ball: the baseline that every attack must beat."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from stochi.attacks.base import ImageAttack


@dataclass(frozen=True)
class UniformNoise(ImageAttack):
    """A uniform draw from the ε-ball, independent of the model."""

    uses_model: ClassVar[bool] = False
    uses_gradients: ClassVar[bool] = False

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return "uniform noise"

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Draw once."""
        return self.random_start(inputs, generator)
