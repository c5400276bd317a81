"""Projected gradient descent, over the model's own randomness."""

import math
from dataclasses import dataclass, field

import torch
from torch import nn

from stochi.attacks.expectation import judge
from stochi.attacks.gradient import GradientAttack, times_restarts
from stochi.errors import InputError


@dataclass(frozen=True)
class PGD(GradientAttack):
    """PGD (Madry et al., ICLR 2018) on the expectation over draws (EOT, Athalye et al., ICML 2018).

    Each step follows the sign of the gradient of the cross-entropy, averaged over ``draws`` runs
    of the model on the same images, side by side in one batch. A climb ends at its last iterate;
    of several, each image keeps the one that does worst over fresh draws.

    Attributes:
        steps: how many; draws: EOT samples a step, 1 for a model without randomness.
        step_size: 2.5·ε/steps if not given, as in Madry et al.
        use_random_start: begin anywhere in the ε-ball.
        restarts: how many climbs, each from a random start of its own.
    """

    steps: int = 20
    step_size: float | None = None
    use_random_start: bool = True
    restarts: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        size = self.step_size
        if size is not None and not (0 < size < math.inf or size == self.epsilon == 0):
            raise InputError(f"step_size is {size}; a step must be longer than 0")

    @property
    def name(self) -> str:
        """How the attack is called in reports."""
        times = times_restarts(self.restarts)
        return f"PGD-{self.steps}{times} (EOT {self.draws}), ε = {self.epsilon:g}"

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Climb the expected loss, from each start."""
        found = [self.climb(model, inputs, labels, generator) for _ in range(self.restarts)]
        return judge(model, found, labels, self.draws)

    def climb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """One climb; its last iterate."""
        step_size = 2.5 * self.epsilon / self.steps if self.step_size is None else self.step_size
        perturbed = self.random_start(inputs, generator) if self.use_random_start else inputs
        for _ in range(self.steps):
            gradient = self.expected_gradient(model, perturbed, labels)
            perturbed = self.project(perturbed + step_size * gradient.sign(), inputs)
        return perturbed.detach()
