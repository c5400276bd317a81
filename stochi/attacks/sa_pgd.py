"""Projected gradient descent whose steps are as long as each pixel's gradients are steady."""

from dataclasses import dataclass

import torch

from stochi.attacks.climbing import ClimbingAttack, Hill, checkpoints
from stochi.attacks.objectives import TINY

MOMENTUM = 0.5
"""Share of the mean gradient that an iteration keeps."""
SQUARES = 0.8
"""Share of the mean square that an iteration keeps."""


@dataclass(frozen=True)
class SAPGD(ClimbingAttack):
    """SA-PGD (arXiv:2512.22522), on the expectation over a random model's draws.

    ``m := 0.5·m + g/mean|g|`` and ``v := 0.8·v + g²/mean(g²)``; a pixel moves by η·m/√v, but by η
    at most. η starts at ε and is halved at APGD's checkpoints, whatever the loss does. The paper's
    published code keeps the last point that one evaluation got wrong, which is luck on a random
    model. Here a climb ends at its last iterate, on a model that is not random at the best one.

    Attributes:
        iterations: number of iterations of a climb; 100 in the paper.
    """

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"SA-PGD{self.objective_name}-{self.length} {self.sampled}"

    def ascend(self, hill: Hill, generator: torch.Generator) -> torch.Tensor:
        """Climb once and return the last iterate."""
        points = self.random_start(hill.inputs, generator)
        mean = square = torch.zeros_like(points)
        size, halvings = self.epsilon, set(checkpoints(self.iterations))
        every_pixel = tuple(range(1, points.dim()))
        for iteration in range(self.iterations):
            if iteration in halvings:
                size /= 2
            slope = hill.slope(points).gradients
            gradient = slope / (slope.abs().mean(every_pixel, True) + TINY)
            squared = gradient.square()
            mean = MOMENTUM * mean + gradient
            square = SQUARES * square + squared / (squared.mean(every_pixel, True) + TINY)
            step = (mean / (square.sqrt() + TINY) * size).clamp(-size, size)
            points = hill.project(points + step)
        return points
