"""Projected gradient descent, over the model's own randomness."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from stochi.attacks.base import Attack
from stochi.errors import InputError


@dataclass(frozen=True)
class PGD(Attack):
    """PGD (Madry et al., ICLR 2018) on the expectation over draws (EOT, Athalye et al., ICML 2018).

    Each step follows the sign of the gradient of the cross-entropy, averaged over ``draws`` runs
    of the model on the same images, side by side in one batch. The last iterate is returned.

    Attributes:
        steps: how many; draws: EOT samples a step, 1 for a model without randomness.
        step_size: 2.5·ε/steps if not given, as in Madry et al.
        use_random_start: begin anywhere in the ε-ball.
    """

    steps: int = 20
    draws: int = 10
    step_size: float | None = None
    use_random_start: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 1 or self.draws < 1:
            raise InputError(
                f"steps is {self.steps} and draws {self.draws}; both must be 1 or more"
            )

    @property
    def name(self) -> str:
        """How the attack is called in reports."""
        return f"PGD-{self.steps} (EOT {self.draws}), ε = {self.epsilon:g}"

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Climb the expected loss."""
        step_size = 2.5 * self.epsilon / self.steps if self.step_size is None else self.step_size
        perturbed = self.random_start(inputs, generator) if self.use_random_start else inputs
        for _ in range(self.steps):
            gradient = self.expected_gradient(model, perturbed, labels)
            perturbed = self.project(perturbed + step_size * gradient.sign(), inputs)
        return perturbed.detach()

    def expected_gradient(
        self, model: nn.Module, perturbed: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        """The loss's gradient at ``perturbed``, its mean over ``draws`` runs."""
        leaf = perturbed.detach().requires_grad_(True)
        repeated = leaf.repeat(self.draws, *(1,) * (leaf.dim() - 1))
        with torch.enable_grad():
            loss = functional.cross_entropy(
                model(repeated), labels.repeat(self.draws), reduction="sum"
            )
            (gradient,) = torch.autograd.grad(loss, leaf)
        return gradient
