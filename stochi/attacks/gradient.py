"""What attacks that follow the model's gradient share."""

from dataclasses import dataclass, field

import torch
from torch import nn

from stochi.attacks.base import ImageAttack
from stochi.attacks.expectation import expected_gradient
from stochi.attacks.objectives import Objective, cross_entropy
from stochi.errors import InputError


@dataclass(frozen=True)
class GradientAttack(ImageAttack):
    """White box, over the expectation of the model's draws.

    Attributes:
        draws: EOT samples of a gradient, 1 for a model without randomness.
    """

    draws: int = field(default=10, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        for count in ("draws", "steps", "restarts"):
            if getattr(self, count, 1) < 1:
                raise InputError(f"{count} is {getattr(self, count)}; it must be 1 or more")

    def objective(self) -> Objective:
        """What is climbed: the cross-entropy, unless an attack has another."""
        return cross_entropy

    def expected_gradient(
        self, model: nn.Module, perturbed: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        """The objective's gradient at ``perturbed``, over ``draws`` runs side by side."""
        return expected_gradient(model, perturbed, labels, self.draws, self.objective())
