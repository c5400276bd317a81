"""The base of attacks that climb an objective iteration by iteration."""

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from stochi.attacks.expectation import Slope, expected_slope
from stochi.attacks.gradient import GradientAttack
from stochi.attacks.objectives import LOSSES, TARGETED, UNTARGETED, Objective
from stochi.attacks.targets import nearest_classes
from stochi.errors import InputError


@dataclass(frozen=True)
class ClimbingAttack(GradientAttack):
    """Climb from a random start, once for each objective.

    A subclass defines ``title`` and ``ascend``. Gradients are taken at the images as they will be
    shown, on the grid if there is one.

    Attributes:
        iterations: number of iterations of a climb, each one forward and one backward pass.
        loss: "ce" (cross-entropy), "margin", "dlr", or "targeted-ce", "targeted-margin",
            "targeted-dlr": one climb towards each of the ``targets`` wrong classes that the clean
            image is nearest to.
        restarts: number of climbs of each objective with each surrogate.
        targets: largest number of target classes.
    """

    iterations: int = 100
    loss: str = field(default="ce", kw_only=True)
    restarts: int = field(default=1, kw_only=True)
    targets: int = field(default=9, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loss not in LOSSES:
            raise InputError(f"loss is {self.loss!r}; choose from {', '.join(LOSSES)}")
        self.check_counts("targets")

    @property
    def length(self) -> str:
        """The part of a title that gives the iterations, and the restarts if there are several."""
        return f"{self.iterations}×{self.restarts}" if self.restarts > 1 else f"{self.iterations}"

    @property
    def objective_name(self) -> str:
        """The part of a title that gives the loss; "" for the cross-entropy."""
        return "" if self.loss == "ce" else f"-{self.loss.upper()}"

    @abstractmethod
    def ascend(self, hill: "Hill", generator: torch.Generator) -> torch.Tensor:
        """Climb once and return the last point."""

    def climbs(self) -> int:
        """Return the number of climbs with each surrogate."""
        return self.restarts

    def climb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
        random: bool,
    ) -> list[torch.Tensor]:
        """Climb each objective.

        Returns:
            The best point on the way if the model is not random, and the end, for each objective.
        """
        found = []
        for objective in self._objectives(model, inputs, labels):
            hill = Hill(self, model, inputs, labels, objective)
            last = self.ascend(hill, generator).detach()
            if not random and hill.best is not None:
                found.append(hill.best)
            found.append(last)
        return found

    def _objectives(
        self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor
    ) -> Sequence[Objective]:
        """Return the objectives to climb, in their order."""
        if self.loss in UNTARGETED:
            return [UNTARGETED[self.loss]]
        nearest = nearest_classes(model, inputs, labels, self.draws, self.targets)
        return [TARGETED[self.loss](targets) for targets in nearest]


class Hill:
    """What one climb sees: the objective over the images within ε, and the best point so far.

    Attributes:
        attack: the attack, which knows ε and the grid.
        inputs: the clean images.
        best: the point with a wrong answer and the highest objective among those, or the point
            with the highest objective if none was wrong; None before the first gradient. Only of
            use if the model is not random: over draws, it would be the luckiest.
    """

    def __init__(
        self,
        attack: ClimbingAttack,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        objective: Objective,
    ) -> None:
        self.attack, self.model, self.inputs = attack, model, inputs
        self.labels, self.objective = labels, objective
        self.best: torch.Tensor | None = None
        self._rank = torch.full((2, len(inputs)), -torch.inf, device=inputs.device)

    def slope(self, points: torch.Tensor) -> Slope:
        """Return the objective and its gradient at the points, as they will be shown."""
        shown = self.attack.finish(points.detach(), self.inputs)
        found = expected_slope(self.model, shown, self.labels, self.attack.draws, self.objective)
        rank = torch.stack([1 - found.right.to(self._rank.dtype), found.values])
        better = (rank[0] > self._rank[0]) | (
            (rank[0] == self._rank[0]) & (rank[1] > self._rank[1])
        )
        self._rank = torch.where(better, rank, self._rank)
        self.best = shown if self.best is None else choose(better, shown, self.best)
        return found

    def project(self, points: torch.Tensor) -> torch.Tensor:
        """Project points onto the ε-ball and onto [0, 1]."""
        return self.attack.project(points, self.inputs)


def choose(where: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return the first tensor's samples where ``where`` (batch,) is true, else the second's."""
    return torch.where(along_batch(where, first), first, second)


def along_batch(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Reshape (batch,) values to broadcast over the samples of ``like``."""
    return values.view(-1, *(1,) * (like.dim() - 1))


def checkpoints(iterations: int) -> Iterator[int]:
    """Yield the iterations at which APGD considers its step size (Croce and Hein, ICML 2020)."""
    before, share = 0.0, 0.22
    while share <= 1:
        yield math.ceil(share * iterations - 1e-9)
        before, share = share, share + max(share - before - 0.03, 0.06)
