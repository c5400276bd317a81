"""The base of attacks that follow the model's gradient."""

from dataclasses import dataclass, field

import torch
from torch import nn

from stochi.attacks.base import ImageAttack
from stochi.attacks.expectation import expected_gradient
from stochi.attacks.objectives import Objective, cross_entropy


def times_restarts(restarts: int) -> str:
    """Return the part of an attack's title that gives its restarts, "" for a single start."""
    return f"×{restarts}" if restarts > 1 else ""


@dataclass(frozen=True)
class GradientAttack(ImageAttack):
    """White-box attack on the expectation over the model's draws.

    Attributes:
        draws: EOT samples of a gradient, 1 for a model without randomness.
    """

    draws: int = field(default=10, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts(*(n for n in ("draws", "iterations", "restarts") if hasattr(self, n)))

    def objective(self) -> Objective:
        """Return the function to climb: the cross-entropy, unless an attack has another one."""
        return cross_entropy

    def expected_gradient(
        self, model: nn.Module, perturbed: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        """Return the objective's gradient at ``perturbed`` over ``draws`` runs in one batch."""
        return expected_gradient(model, perturbed, labels, self.draws, self.objective())
