"""Auto-PGD on the expectation over a random model's draws."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from stochi.attacks.art_library import require_art, seeded_numpy
from stochi.attacks.expectation import judge
from stochi.attacks.gradient import GradientAttack, times_restarts
from stochi.attacks.objectives import Objective, cross_entropy, dlr, targeted_dlr
from stochi.attacks.targets import nearest_classes
from stochi.errors import InputError

LOSSES = ("ce", "dlr", "targeted-dlr")


@dataclass(frozen=True)
class APGD(GradientAttack):
    """APGD (Croce and Hein, ICML 2020): PGD with momentum that halves its own step size.

    The implementation is ART's, run on the loss and the gradient averaged over ``draws`` runs of
    the model. ART returns the last iterate if one evaluation of the model is wrong there, and the
    random start otherwise. Here a climb ends at the point with the highest loss, as in the paper.
    Of several climbs, each image keeps the result that the model gets right least often over fresh
    draws.

    Attributes:
        iterations: number of iterations of a climb.
        loss: "ce" (cross-entropy), "dlr", or "targeted-dlr": one climb towards each of the
            ``targets`` wrong classes that the clean image is nearest to.
        restarts: number of climbs (to each target), each from its own random start.
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
    def title(self) -> str:
        """Name in reports, without the budget."""
        times = times_restarts(self.restarts)
        return f"APGD-{self.loss.upper()}-{self.iterations}{times} (EOT {self.draws})"

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Climb each objective from each start and keep the best result of each image."""
        require_art()
        if self.epsilon == 0:  # ART raises an error for it
            return inputs
        with seeded_numpy(self.seed):
            found = [
                self.climb(model, inputs, labels, objective)
                for objective in self.objectives(model, inputs, labels)
                for _ in range(self.restarts)
            ]
        return judge(model, found, labels, self.draws)

    def objectives(
        self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor
    ) -> Sequence[Objective]:
        """Return the objectives to climb, in their order."""
        if self.loss != "targeted-dlr":
            return [{"ce": cross_entropy, "dlr": dlr}[self.loss]]
        nearest = nearest_classes(model, inputs, labels, self.draws, self.targets)
        return [targeted_dlr(targets) for targets in nearest]

    def climb(
        self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, objective: Objective
    ) -> torch.Tensor:
        """Climb once and return the point with the highest loss."""
        # Both need ART, an optional extra.
        from art.attacks.evasion import AutoProjectedGradientDescent

        from stochi.attacks.art_estimator import ExpectedEstimator

        apgd = AutoProjectedGradientDescent(
            ExpectedEstimator(model, inputs, labels, self.draws, objective),
            eps=float(self.epsilon),
            eps_step=2 * float(self.epsilon),  # as in the paper; ART's default ignores ε
            max_iter=self.iterations,
            nb_random_init=1,
            batch_size=len(inputs),  # so that x_max holds all images
            loss_type=None,
            verbose=False,
        )
        apgd.generate(inputs.cpu().numpy(), labels.cpu().numpy())
        return self.project(torch.from_numpy(apgd.x_max).to(inputs), inputs)
