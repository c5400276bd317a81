"""HopSkipJump, as ART has it: by the answered class alone."""

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

    It asks for classes only, of a random model for the class with most votes in ``draws`` runs.
    It seeks the nearest wrong image, wherever that is; what it found is brought into the ε-ball,
    clipped or along the straight line, whichever does worse over fresh draws. An image that the
    vote gets wrong already, or for which no start is found, stays clean. Slow: it takes one image
    after another.

    Attributes:
        steps: of the walk.
        directions: tried at the first step to estimate the boundary's direction; later ones try
            √step times as many.
        starts: random images among which, and among the other inputs, a start is sought.
        queries: at most so many an image (times ``draws``): a random model can keep ART's search
            for a step size from ever ending.
        draws: runs that vote, 1 for a model without randomness.
    """

    uses_gradients: ClassVar[bool] = False
    steps: int = 10
    directions: int = field(default=100, kw_only=True)
    starts: int = field(default=100, kw_only=True)
    queries: int = field(default=10_000, kw_only=True)
    draws: int = field(default=10, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts("steps", "directions", "starts", "queries", "draws")

    @property
    def name(self) -> str:
        """How the attack is called in reports."""
        return f"HopSkipJump-{self.steps} ({self.draws} votes), ε = {self.epsilon:g}"

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Walk with each image on its own, from the nearest start."""
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
        return judge(model, self.brought_in(found, inputs), labels, self.draws)

    def votes(self, model: nn.Module, images: torch.Tensor) -> torch.Tensor:
        """(batch, classes) the share of runs that answer a class."""
        with torch.no_grad():
            logits = answers(model, images, self.draws)
            return functional.one_hot(logits.argmax(2), logits.shape[2]).float().mean(0)


class _OutOfQueries(Exception):
    pass


class _Walk:
    """One image's walk: what ART asks on it, and the nearest wrong image among that."""

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
        """What was answered before: ART draws starts of its own, unseeded, where the one that it
        was given is right when it asks again."""
        self.known[image.float().cpu().numpy().tobytes()] = votes.cpu().numpy()
        self.classes = len(votes)

    def answer(self, shown: np.ndarray) -> np.ndarray:
        """(batch, classes) votes."""
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
        """Let ART walk; the nearest wrong image that it came by."""
        from art.attacks.evasion import HopSkipJump as ArtHopSkipJump
        from art.estimators.classification import BlackBoxClassifierNeuralNetwork

        start = self.nearest.cpu().numpy()
        classifier = BlackBoxClassifierNeuralNetwork(
            self.answer, tuple(self.image.shape), self.classes, clip_values=(0.0, 1.0)
        )
        directions = self.attack.directions
        walk = ArtHopSkipJump(
            classifier,
            batch_size=directions * self.attack.steps,
            norm=np.inf,
            max_iter=self.attack.steps,
            init_eval=directions,
            max_eval=directions * self.attack.steps,
            verbose=False,
        )
        with suppress(_OutOfQueries):
            walk.generate(
                self.image.cpu().numpy()[None],
                np.array([self.label]),
                x_adv_init=start[None],
            )
        return self.nearest
