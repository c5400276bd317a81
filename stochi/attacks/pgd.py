"""Projected gradient descent on the expectation over a random model's draws."""

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

    Each iteration follows the sign of the gradient of the cross-entropy, averaged over ``draws``
    runs of the model on the same images, side by side in one batch. A climb ends at its last
    iterate. Of several climbs, each image keeps the result that the model gets right least often
    over fresh draws.

    Attributes:
        iterations: number of iterations of a climb.
        draws: EOT samples of an iteration, 1 for a model without randomness.
        step_size: length of a step; 2.5·ε/iterations if not given, as in Madry et al.
        use_random_start: whether a climb starts at a random point of the ε-ball.
        restarts: number of climbs, each from its own random start.
    """

    iterations: int = 20
    step_size: float | None = None
    use_random_start: bool = True
    restarts: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        size = self.step_size
        if size is not None and not (0 < size < math.inf or size == self.epsilon == 0):
            raise InputError(f"step_size is {size}; it must be a finite number above 0")

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"PGD-{self.iterations}{times_restarts(self.restarts)} (EOT {self.draws})"

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Climb the expected loss from each start and keep the best result of each image."""
        found = [self.climb(model, inputs, labels, generator) for _ in range(self.restarts)]
        return judge(model, found, labels, self.draws)

    def climb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Climb once and return the last iterate."""
        size = 2.5 * self.epsilon / self.iterations if self.step_size is None else self.step_size
        perturbed = self.random_start(inputs, generator) if self.use_random_start else inputs
        for _ in range(self.iterations):
            gradient = self.expected_gradient(model, perturbed, labels)
            perturbed = self.project(perturbed + size * gradient.sign(), inputs)
        return perturbed.detach()
