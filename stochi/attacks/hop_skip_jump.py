"""HopSkipJump in ART's implementation, by the answered class alone."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from stochi.attacks.art_library import require_art, seeded_numpy
from stochi.attacks.base import ImageAttack
from stochi.attacks.expectation import answers, judge


@dataclass(frozen=True)
class HopSkipJump(ImageAttack):
    """HopSkipJump (Chen et al., S&P 2020), ART's, in L∞: walk along the boundary towards the image.

    It needs classes only, for a random model the class with the most votes in ``draws`` runs. It
    seeks the nearest wrong image, whatever its distance. The image found is brought into the
    ε-ball, clipped or along the straight line, whichever the model gets right less often over fresh
    draws. An image that the vote gets wrong already, or for which no start is found, stays clean.
    The attack is slow, because it takes one image after another.

    Attributes:
        iterations: number of iterations of the walk.
        directions: directions tried in the first iteration to estimate the boundary's direction;
            later iterations try √iteration times as many.
        starts: number of random images; the start is sought among them and the other inputs.
        queries: largest number of queries per image (times ``draws``). Without it, a random model
            can keep ART's search for a step size from ever ending.
        draws: runs that vote, 1 for a model without randomness.
    """

    uses_gradients: ClassVar[bool] = False
    iterations: int = 10
    directions: int = field(default=100, kw_only=True)
    starts: int = field(default=100, kw_only=True)
    queries: int = field(default=10_000, kw_only=True)
    draws: int = field(default=10, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts("iterations", "directions", "starts", "queries", "draws")

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
    ) -> torch.Tensor:
        """Walk with each image on its own, from the start nearest to it."""
        require_art()
        clean = self.votes(model, inputs)
        noise = torch.rand(
            (self.starts, *inputs.shape[1:]),
            generator=generator,
            device=inputs.device,
            dtype=inputs.dtype,
        )
        pool = torch.cat([noise, inputs])
        pooled = torch.cat([self.votes(model, noise), clean])
        found = inputs.clone()
        with seeded_numpy(self.seed):
            for place, (image, label) in enumerate(zip(inputs, labels, strict=True)):
                usable = (pooled.argmax(1) != label).nonzero().squeeze(1)
                if clean[place].argmax() != label or not len(usable):
                    continue
                distances = (pool[usable] - image).flatten(1).norm(dim=1)
                start = usable[distances.argmin()]
                walk = _Walk(self, model, image, int(label), pool[start])
                walk.remember(image, clean[place])
                walk.remember(pool[start], pooled[start])
                found[place] = walk.run()
        return judge(model, self.bring_in(found, inputs), labels, self.draws)

    def votes(self, model: nn.Module, images: torch.Tensor) -> torch.Tensor:
        """Return the share of runs that answer each class, (batch, classes)."""
        with torch.no_grad():
            logits = answers(model, images, self.draws)
            return functional.one_hot(logits.argmax(2), logits.shape[2]).float().mean(0)


class _OutOfQueries(Exception):
    """The walk has used all its queries."""


class _Walk:
    """One image's walk, which keeps the nearest wrong image that ART asked about."""

    def __init__(
        self,
        attack: HopSkipJump,
        model: nn.Module,
        image: torch.Tensor,
        label: int,
        start: torch.Tensor,
    ) -> None:
        self.attack, self.model, self.image, self.label = attack, model, image, label
        self.known: dict[bytes, np.ndarray] = {}
        self.nearest, self.distance = start, float((start - image).abs().max())
        self.left = attack.queries
        self.classes = 0

    def remember(self, image: torch.Tensor, votes: torch.Tensor) -> None:
        """Keep the votes on an image, to repeat them if ART asks about it.

        If ART asked a random model again and the given start was now right, ART would draw starts
        of its own, from an unseeded generator.
        """
        self.known[image.float().cpu().numpy().tobytes()] = votes.cpu().numpy()
        self.classes = len(votes)

    def answer(self, shown: np.ndarray) -> np.ndarray:
        """Return (batch, classes) votes and keep the nearest wrong image."""
        if len(shown) == 1 and shown[0].tobytes() in self.known:
            return self.known[shown[0].tobytes()][None]
        self.left -= len(shown)
        if self.left < 0:
            raise _OutOfQueries
        images = torch.from_numpy(shown).to(self.image)
        votes = self.attack.votes(self.model, images)
        wrong = images[votes.argmax(1) != self.label]
        if len(wrong):
            distances = (wrong - self.image).abs().flatten(1).amax(1)
            if float(distances.min()) < self.distance:
                self.nearest, self.distance = wrong[distances.argmin()], float(distances.min())
        return votes.cpu().numpy()

    def run(self) -> torch.Tensor:
        """Let ART walk and return the nearest wrong image on its way."""
        # ART is an optional extra.
        from art.attacks.evasion import HopSkipJump as ArtHopSkipJump
        from art.estimators.classification import BlackBoxClassifierNeuralNetwork

        start = self.nearest.cpu().numpy()
        classifier = BlackBoxClassifierNeuralNetwork(
            self.answer, tuple(self.image.shape), self.classes, clip_values=(0.0, 1.0)
        )
        directions = self.attack.directions
        walk = ArtHopSkipJump(
            classifier,
            batch_size=directions * self.attack.iterations,
            norm=np.inf,
            max_iter=self.attack.iterations,
            init_eval=directions,
            max_eval=directions * self.attack.iterations,
            verbose=False,
        )
        with suppress(_OutOfQueries):
            walk.generate(
                self.image.cpu().numpy()[None],
                np.array([self.label]),
                x_adv_init=start[None],
            )
        return self.nearest
