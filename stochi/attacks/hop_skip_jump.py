"""HopSkipJump, by the answered class alone."""

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from stochi.attacks.base import ImageAttack, largest_change, random_change
from stochi.attacks.chosen import Candidate, Chosen
from stochi.attacks.expectation import answers, is_random
from stochi.attacks.objectives import TINY
from stochi.attacks.samplewise import along_batch, choose

HALVINGS = 12
"""Largest number of halvings of a step, and number of bisections of a way to the boundary."""
PROBING = 0.1
"""Size of the directions that are tried, as a share of the distance from the clean image."""


@dataclass(frozen=True)
class HopSkipJump(ImageAttack):
    """HopSkipJump (Chen et al., S&P 2020) in L∞: walk along the boundary towards the image.

    It needs classes only, for a random model the class with the most votes in ``draws`` runs. It
    seeks the nearest wrong image, whatever its distance. The image found is brought into the
    ε-ball, clipped or along the straight line, whichever the model gets right less often over fresh
    draws. An image that the vote gets wrong already, or for which no start is found, stays clean.

    A way to the boundary is bisected, and a step halved, 12 times at most. On a random model, whose
    votes change, the paper's search for a step may otherwise never end.

    Attributes:
        iterations: number of iterations of the walk.
        directions: directions tried in the first iteration to estimate the boundary's direction;
            later iterations try √iteration times as many, each for ``draws`` queries per image.
        starts: number of random images; the start is sought among them and the other inputs.
        draws: runs that vote. A model that answers the same twice gets 1.
    """

    uses_gradients: ClassVar[bool] = False
    iterations: int = 10
    directions: int = field(default=100, kw_only=True)
    starts: int = field(default=100, kw_only=True)
    draws: int = field(default=10, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts("iterations", "directions", "starts", "draws")

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"HopSkipJump-{self.iterations} ({self.draws} votes)"

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> Chosen:
        """Walk with all images that are right and have a start."""
        random = is_random(model, inputs, self.draws)
        attack = self if random else replace(self, draws=1)
        start, usable = attack.find_starts(model, inputs, labels, generator)
        found = inputs.clone()
        if bool(usable.any()):
            found[usable] = attack.walk(
                model, inputs[usable], labels[usable], start[usable], generator
            )
        brought = self.bring_in(found, inputs)
        candidates = [Candidate(self.title, images) for images in brought]
        return attack.choose(model, candidates, inputs, labels)

    def find_starts(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return each image's nearest start with another answer, and whether it can walk."""
        noise = random_change(inputs[:1].expand(self.starts, *inputs.shape[1:]), generator)
        clean = self.vote(model, inputs)
        pool = torch.cat([(noise + 1) / 2, inputs])
        answered = torch.cat([self.vote(model, pool[: self.starts]), clean])
        distances = torch.cdist(inputs.flatten(1), pool.flatten(1))
        distances = distances.masked_fill(answered == labels[:, None], torch.inf)
        nearest = distances.min(1)
        return pool[nearest.indices], (clean == labels) & nearest.values.isfinite()

    def walk(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        points: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Return the nearest wrong images on the ways from the starts ``points``."""
        points = self.bisect(model, inputs, labels, points)
        nearest = points
        for iteration in range(1, self.iterations + 1):
            count = round(self.directions * math.sqrt(iteration))
            distance = largest_change(points - inputs)
            uphill = self.find_direction(model, points, labels, distance, count, generator)
            length = distance / math.sqrt(iteration)
            moved, done = points, torch.zeros_like(labels, dtype=torch.bool)
            for _ in range(HALVINGS):
                tried = (points + length * uphill.sign()).clamp(0, 1)
                reached = ~done & (self.vote(model, tried) != labels)
                moved, done = choose(reached, tried, moved), done | reached
                if bool(done.all()):
                    break
                length = length / 2
            points = self.bisect(model, inputs, labels, moved)
            nearer = largest_change(points - inputs) < largest_change(nearest - inputs)
            nearest = torch.where(nearer, points, nearest)
        return nearest

    def bisect(
        self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, wrong: torch.Tensor
    ) -> torch.Tensor:
        """Return wrong images near the boundary between the clean images and wrong ones, in L∞."""
        high = largest_change(wrong - inputs)
        low = torch.zeros_like(high)
        found = wrong
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            tried = torch.minimum(torch.maximum(wrong, inputs - middle), inputs + middle)
            reached = self.vote(model, tried) != labels
            found = choose(reached, tried, found)
            high, low = choose(reached, middle, high), choose(reached, low, middle)
        return found

    def find_direction(
        self,
        model: nn.Module,
        points: torch.Tensor,
        labels: torch.Tensor,
        distance: torch.Tensor,
        count: int,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Estimate the direction in which answers turn wrong, from ``count`` directions."""
        reach = (PROBING * distance).clamp_min(TINY)
        directions, signs = [], []
        for _ in range(count):
            tried = (points + reach * random_change(points, generator)).clamp(0, 1)
            directions.append((tried - points) / reach)
            signs.append(2 * (self.vote(model, tried) != labels).to(points.dtype) - 1)
        mean = torch.stack(signs).mean(0)
        # The mean sign is subtracted to lower the variance, unless all signs are the same.
        baseline = torch.where(mean.abs() == 1, 0.0, mean)
        return sum(
            (
                along_batch(sign - baseline, points) * direction
                for sign, direction in zip(signs, directions, strict=True)
            ),
            start=torch.zeros_like(points),
        )

    def vote(self, model: nn.Module, images: torch.Tensor) -> torch.Tensor:
        """Return the class that most of the runs answer, (batch,)."""
        with torch.no_grad():
            logits = answers(model, images, self.draws)
            votes = functional.one_hot(logits.argmax(2), logits.shape[2]).sum(0)
            return votes.argmax(1)
