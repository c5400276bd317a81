"""The fast gradient sign method with momentum."""

from dataclasses import dataclass

import torch
from torch import nn

from stochi.attacks.expectation import expected_gradient
from stochi.attacks.gradient import GradientAttack
from stochi.attacks.objectives import TINY
from stochi.errors import InputError


@dataclass(frozen=True)
class MIFGSM(GradientAttack):
    """MI-FGSM (Dong et al., CVPR 2018) on the expectation over the model's draws.

    ``g := μ·g + gradient / |gradient|₁``, then a step of ε/iterations along the sign of g, from
    the clean image. The momentum smooths out the peculiarities of one model's loss surface, so the
    images transfer better to other models.

    Attributes:
        iterations: number of iterations.
        momentum: μ ≥ 0; 1 in the paper.
    """

    iterations: int = 10
    momentum: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.momentum >= 0:
            raise InputError(f"momentum is {self.momentum}; it must be 0 or more")

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"MI-FGSM-{self.iterations} {self.sampled}"

    def climb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
        random: bool,
    ) -> list[torch.Tensor]:
        """Climb with momentum and return the last iterate."""
        perturbed, direction = inputs, torch.zeros_like(inputs)
        every_pixel = tuple(range(1, inputs.dim()))
        for _ in range(self.iterations):
            gradient = expected_gradient(model, self.finish(perturbed, inputs), labels, self.draws)
            size = gradient.abs().sum(every_pixel, keepdim=True)
            direction = self.momentum * direction + gradient / (size + TINY)
            perturbed = self.project(
                perturbed + self.epsilon / self.iterations * direction.sign(), inputs
            )
        return [perturbed.detach()]
