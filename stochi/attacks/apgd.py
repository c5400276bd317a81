"""Auto-PGD on the expectation over a random model's draws."""

from dataclasses import dataclass

import torch

from stochi.attacks.climbing import ClimbingAttack, Hill, checkpoints
from stochi.attacks.samplewise import along_batch, choose

MOMENTUM = 0.75
"""The paper's α, the weight of the new direction."""
PROGRESS = 0.75
"""The paper's ρ, the share of iterations since a checkpoint that must have raised the loss."""


@dataclass(frozen=True)
class APGD(ClimbingAttack):
    """APGD (Croce and Hein, ICML 2020): PGD with momentum that halves its own step size.

    The first step is 2ε. At its checkpoints, an image's step is halved if too few iterations
    raised the loss, or if neither the step nor the highest loss has changed since the last one; the
    climb then goes on from the point with the highest loss, and it ends there. Loss and gradient
    are those of the same ``draws`` runs.

    Attributes:
        iterations: number of iterations of a climb; 1 takes 2, the start's and a step's.
    """

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"APGD-{self.loss.upper()}-{self.length} {self.sampled}"

    def ascend(self, hill: Hill, generator: torch.Generator) -> torch.Tensor:
        """Climb once and return the point with the highest loss."""
        points = before = self.random_start(hill.inputs, generator)
        found = hill.slope(points)
        best, highest, steepest = points, found.values, found.gradients
        last, slope = found.values, found.gradients
        size = hill.inputs.new_full(last.shape, 2 * self.epsilon)
        raised, since = torch.zeros_like(last), 0
        halved, highest_before = torch.ones_like(last, dtype=torch.bool), highest
        planned = set(checkpoints(self.iterations))
        for iteration in range(1, max(2, self.iterations)):
            step = along_batch(size, points) * slope.sign()
            moved = hill.project(points + step)
            if iteration > 1:
                momentum = MOMENTUM * (moved - points) + (1 - MOMENTUM) * (points - before)
                moved = hill.project(points + momentum)
            before, points = points, moved
            found = hill.slope(points)
            slope, raised, since = found.gradients, raised + (found.values > last), since + 1
            last, higher = found.values, found.values > highest
            best, steepest = choose(higher, points, best), choose(higher, slope, steepest)
            highest = torch.maximum(highest, found.values)
            if iteration in planned:
                stuck = raised < PROGRESS * since
                halved = stuck | (~halved & (highest <= highest_before))
                size = torch.where(halved, size / 2, size)
                points, slope = choose(halved, best, points), choose(halved, steepest, slope)
                last = torch.where(halved, highest, last)
                raised, since, highest_before = torch.zeros_like(raised), 0, highest
        return best
