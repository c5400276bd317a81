"""The fast adaptive boundary attack on the expectation over a random model's draws."""

from dataclasses import dataclass, field

import torch
from torch import nn

from stochi.attacks.base import largest_change, random_change, times_restarts
from stochi.attacks.box_projection import onto_plane
from stochi.attacks.expectation import answers, expected_slope
from stochi.attacks.gradient import GradientAttack
from stochi.attacks.objectives import TINY, margin, targeted_margin
from stochi.attacks.targets import nearest_classes

MAX_PULL = 0.1
"""The paper's α_max, the largest weight of the step that begins at the clean image."""
OVERSHOOT = 1.05
"""The paper's η, the factor by which steps go a little beyond the plane."""
STEP_BACK = 0.9
"""The paper's β, the share of a wrong image's change that is kept for the next step."""


@dataclass(frozen=True)
class FAB(GradientAttack):
    """FAB-T (Croce and Hein, ICML 2020), in L∞: the nearest wrong image, towards several classes.

    Each iteration linearizes the target's logit minus the true one's, averaged over ``draws`` runs
    of the model. It projects the image and the clean image onto the plane where this function is
    zero, and takes the next image between the two. If the next image is wrong, it is kept unless a
    nearer wrong one was found, and the search goes on from a point nearer to the clean image.

    An image counts as wrong if the margin's mean over the draws is positive. The margin is not less
    than the linearized function, so it is enough to reach the plane. A count of wrong draws could
    stay below half on the plane, and the search would stop there.

    At the boundary that FAB seeks, a random model is still right in about half of the draws. So
    an image found is also moved along the line from the clean image, outwards or inwards, until it
    is ε away. The candidates are the moved image, the image found, clipped to the ε-ball, and the
    clean image; the one that the model gets right least often over fresh draws is kept. The paper's
    last search goes along the same line and is left out. :meth:`search` returns the nearest images
    themselves.

    Attributes:
        iterations: number of iterations of a search.
        restarts: number of searches to each target, the first from the clean image, the others
            from a random point near it.
        targets: largest number of target classes, the wrong ones that the clean image is nearest
            to.
    """

    iterations: int = 100
    restarts: int = field(default=1, kw_only=True)
    targets: int = field(default=9, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts("targets")

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"FAB-T-{self.iterations}{times_restarts(self.restarts)} {self.sampled}"

    def climb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
        random: bool,
    ) -> list[torch.Tensor]:
        """Search towards each target."""
        candidates = [inputs]
        for targets in nearest_classes(model, inputs, labels, self.draws, self.targets):
            found = self.search(model, inputs, labels, targets, generator)
            candidates += self.bring_in(found, inputs)
        return candidates

    def search(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        targets: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Return the nearest wrong image on the way to one target, whatever its distance.

        Args:
            model: images (batch, *shape) → (batch, classes) logits.
            inputs: (batch, *shape) in [0, 1], the clean images.
            labels, targets: (batch,) true classes and target classes.
            generator: generator for the restarts.

        Returns:
            (batch, *shape) in [0, 1]; the last iterate of an image for which none was wrong.
        """
        nearest = points = inputs
        distance = torch.full_like(largest_change(inputs), torch.inf)
        for restart in range(self.restarts):
            points = inputs if restart == 0 else self.restart(inputs, distance, generator)
            for _ in range(self.iterations):
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
        """Take one step: to a mean of the projections of the points and of the clean images."""
        values, gradients, _ = expected_slope(
            model, points, labels, self.draws, targeted_margin(targets)
        )
        clean_values = values + (gradients * (inputs - points)).flatten(1).sum(1)
        change = onto_plane(points, values, gradients) - points
        clean_change = onto_plane(inputs, clean_values, gradients) - inputs
        size, clean_size = largest_change(change), largest_change(clean_change)
        # If the gradient is 0, both sizes are 0 and the point stays.
        pull = (size / (size + clean_size).clamp_min(TINY)).clamp(max=MAX_PULL)
        moved = (1 - pull) * (points + OVERSHOOT * change)
        pulled = pull * (inputs + OVERSHOOT * clean_change)
        return (moved + pulled).clamp(0, 1)

    def restart(
        self, inputs: torch.Tensor, distance: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Draw a start at half of ε, or of the nearest wrong image's distance if that is less."""
        direction = random_change(inputs, generator)
        length = distance.clamp(max=self.epsilon) / 2
        return (inputs + direction * length / largest_change(direction).clamp_min(TINY)).clamp(0, 1)
