"""The fast adaptive boundary attack, over the model's own randomness."""

from dataclasses import dataclass, field

import torch
from torch import nn

from stochi.attacks.base import largest_change, random_change
from stochi.attacks.box_projection import onto_plane
from stochi.attacks.expectation import answers, expected_slope, judge
from stochi.attacks.gradient import GradientAttack, times_restarts
from stochi.attacks.objectives import TINY, margin, targeted_margin
from stochi.attacks.targets import nearest_classes

MAX_PULL = 0.1
"""The paper's α_max: the largest weight of the step that begins at the clean image."""
OVERSHOOT = 1.05
"""The paper's η: steps go a little beyond the plane."""
STEP_BACK = 0.9
"""The paper's β: what is left of a wrong image's change before the next step."""


@dataclass(frozen=True)
class FAB(GradientAttack):
    """FAB-T (Croce and Hein, ICML 2020), in L∞: the nearest wrong image, towards several classes.

    At each step the target's logit minus the true one's, averaged over ``draws`` runs of the model,
    is taken for linear. The image and the clean image are both projected onto the plane where it is
    zero, and the next image lies between the two. Where that is wrong, it is kept if no wrong one
    was nearer, and the search goes on from nearer to the clean image.

    An image counts as wrong there where the margin's mean over the draws is positive. It is no less
    than what is linearized, so to reach the plane is enough; a count of wrong draws could stay
    below half on the plane, and the search would end there.

    At the boundary that FAB seeks, a random model is still right in about half of the draws. So
    what a search finds is also moved along the line from the clean image until it is ε away, out
    or in; each image keeps what does worst over fresh draws: one of these, what was found, clipped
    to the ε-ball, or the clean image. The paper's last search goes along the same line and is left
    out. The nearest images themselves are what :meth:`search` returns.

    Attributes:
        steps: of a search.
        restarts: how many searches to each target, the first from the clean image, the others
            from a random one near it.
        targets: at most so many wrong classes that the clean image is nearest to.
    """

    steps: int = 100
    restarts: int = field(default=1, kw_only=True)
    targets: int = field(default=9, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts("targets")

    @property
    def name(self) -> str:
        """How the attack is called in reports."""
        times = times_restarts(self.restarts)
        return f"FAB-T-{self.steps}{times} (EOT {self.draws}), ε = {self.epsilon:g}"

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Search on the way to each target."""
        if self.epsilon == 0:
            return inputs
        candidates = [inputs]
        for targets in nearest_classes(model, inputs, labels, self.draws, self.targets):
            found = self.search(model, inputs, labels, targets, generator)
            candidates += self.brought_in(found, inputs)
        return judge(model, candidates, labels, self.draws)

    def search(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        targets: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """The nearest wrong image on the way to one target; it knows no ε.

        Args:
            model: images (batch, *shape) → (batch, classes) logits.
            inputs: (batch, *shape) in [0, 1], the clean images.
            labels, targets: (batch,) true classes, and those to go to.
            generator: of the restarts.

        Returns:
            (batch, *shape) in [0, 1]; the last step's image where none was wrong.
        """
        nearest = points = inputs
        distance = torch.full_like(largest_change(inputs), torch.inf)
        for restart in range(self.restarts):
            points = inputs if restart == 0 else self.restart(inputs, distance, generator)
            for _ in range(self.steps):
                points = self.step(model, points, inputs, labels, targets)
                with torch.no_grad():
                    wrong = margin(answers(model, points, self.draws), labels) > 0
                wrong, size = wrong.view_as(distance), largest_change(points - inputs)
                nearer = wrong & (size < distance)
                nearest = torch.where(nearer, points, nearest)
                distance = torch.where(nearer, size, distance)
                points = torch.where(wrong, inputs + STEP_BACK * (points - inputs), points)
        return torch.where(distance.isfinite(), nearest, points)

    def step(
        self,
        model: nn.Module,
        points: torch.Tensor,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        targets: torch.Tensor,
    ) -> torch.Tensor:
        """Between the projections of the points and of the clean images, a little beyond."""
        values, gradients = expected_slope(
            model, points, labels, self.draws, targeted_margin(targets)
        )
        clean_values = values + (gradients * (inputs - points)).flatten(1).sum(1)
        change = onto_plane(points, values, gradients) - points
        clean_change = onto_plane(inputs, clean_values, gradients) - inputs
        size, clean_size = largest_change(change), largest_change(clean_change)
        # Without a gradient both are 0, and the point stays.
        pull = (size / (size + clean_size).clamp_min(TINY)).clamp(max=MAX_PULL)
        moved = (1 - pull) * (points + OVERSHOOT * change)
        pulled = pull * (inputs + OVERSHOOT * clean_change)
        return (moved + pulled).clamp(0, 1)

    def restart(
        self, inputs: torch.Tensor, distance: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """A random start, half as far as ε or as the nearest wrong image, if that is nearer."""
        direction = random_change(inputs, generator)
        length = distance.clamp(max=self.epsilon) / 2
        return (inputs + direction * length / largest_change(direction).clamp_min(TINY)).clamp(0, 1)
