"""The base of attacks that climb an objective iteration by iteration."""

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from stochi.attacks.base import times_restarts
from stochi.attacks.expectation import (
    Outcome,
    Slope,
    expected_slope,
    is_worse,
    where_outcome,
)
from stochi.attacks.gradient import GradientAttack
from stochi.attacks.objectives import LOSSES, TARGETED, UNTARGETED, Objective
from stochi.attacks.samplewise import choose
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
        return f"{self.iterations}{times_restarts(self.restarts)}"

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
        self._best_seen: Outcome | None = None

    def slope(self, points: torch.Tensor) -> Slope:
        """Return the objective and its gradient at the points, as they will be shown."""
        shown = self.attack.finish(points.detach(), self.inputs)
        found = expected_slope(self.model, shown, self.labels, self.attack.draws, self.objective)
        seen = Outcome(found.right, found.values)
        if self.best is None or self._best_seen is None:
            self.best, self._best_seen = shown, seen
        else:
            worse = is_worse(seen, self._best_seen)
            self.best = choose(worse, shown, self.best)
            self._best_seen = where_outcome(worse, seen, self._best_seen)
        return found

    def project(self, points: torch.Tensor) -> torch.Tensor:
        """Project points onto the ε-ball and onto [0, 1]."""
        return self.attack.project(points, self.inputs)


def checkpoints(iterations: int) -> Iterator[int]:
    """Yield the iterations at which APGD considers its step size (Croce and Hein, ICML 2020)."""
    before, share = 0.0, 0.22
    while share <= 1:
        yield math.ceil(share * iterations - 1e-9)
        before, share = share, share + max(share - before - 0.03, 0.06)
