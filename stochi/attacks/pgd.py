"""Projected gradient descent on the expectation over a random model's draws."""

import math
from dataclasses import dataclass, field

import torch

from stochi.attacks.climbing import ClimbingAttack, Hill
from stochi.errors import InputError

SCHEDULES = ("constant", "cosine")


@dataclass(frozen=True)
class PGD(ClimbingAttack):
    """PGD (Madry et al., ICLR 2018) on the expectation over draws (EOT, Athalye et al., ICML 2018).

    Each iteration follows the sign of the gradient, averaged over ``draws`` runs of the model on
    the same images, side by side in one batch. A climb ends at its last iterate, and on a model
    that is not random at the best one on the way. Of several climbs, each image keeps the result
    that the model gets right least often over fresh draws.

    Attributes:
        iterations: number of iterations of a climb.
        step_size: length of a step, with "cosine" of the first; if not given, 2.5·ε/iterations as
            in Madry et al., with "cosine" ε.
        use_random_start: whether a climb starts at a random point of the ε-ball.
        schedule: "constant", or "cosine": steps that fall to 0 along half a cosine.
    """

    iterations: int = 20
    step_size: float | None = None
    use_random_start: bool = True
    schedule: str = field(default="constant", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        size = self.step_size
        if size is not None and not (0 < size < math.inf or size == self.epsilon == 0):
            raise InputError(f"step_size is {size}; it must be a finite number above 0")
        if self.schedule not in SCHEDULES:
            raise InputError(f"schedule is {self.schedule!r}; choose from {', '.join(SCHEDULES)}")

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        schedule = " cosine" if self.schedule == "cosine" else ""
        return f"PGD{self.objective_name}-{self.length}{schedule} {self.sampled}"

    def ascend(self, hill: Hill, generator: torch.Generator) -> torch.Tensor:
        """Climb once and return the last iterate."""
        points = hill.inputs
        if self.use_random_start:
            points = self.random_start(points, generator)
        for iteration in range(self.iterations):
            step = self.step(iteration) * hill.slope(points).gradients.sign()
            points = hill.project(points + step)
        return points

    def step(self, iteration: int) -> float:
        """Return the length of an iteration's step."""
        if self.schedule == "constant":
            constant = 2.5 * self.epsilon / self.iterations
            return constant if self.step_size is None else self.step_size
        first = self.epsilon if self.step_size is None else self.step_size
        return first * (1 + math.cos(math.pi * iteration / self.iterations)) / 2
