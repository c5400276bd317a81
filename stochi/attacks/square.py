"""The Square attack, by queries alone."""

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import nn

from stochi.attacks.base import ImageAttack, times_restarts
from stochi.attacks.chosen import Candidate, Chosen
from stochi.attacks.expectation import answers, is_random
from stochi.attacks.objectives import margin
from stochi.attacks.progress import ReportsProgress
from stochi.attacks.samplewise import choose
from stochi.errors import InputError

FIRST_SHARE = 0.8
"""Share of the image that the first square covers."""
HALVINGS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""Shares of the iterations after which the square's share of the image is halved (the paper's)."""


@dataclass(frozen=True)
class Square(ImageAttack, ReportsProgress):
    """Square attack (Andriushchenko et al., ECCV 2020): random squares of ±ε that raise the margin.

    It needs no gradient, so a masked one does not stop it, and it works on a Program
    (:class:`stochi.attacks.ProgramModel`). It starts from vertical stripes of ±ε; each iteration
    draws a square for each image and keeps it if it raises the margin of the best wrong class. Both
    the best image so far and its challenger are evaluated over ``draws`` new runs, so that the
    challenger need not beat the margin of one lucky run.

    Attributes:
        iterations: number of squares tried; each costs ``2·draws`` queries per image.
        draws: runs that a margin is averaged over. A model that answers the same twice gets 1.
        restarts: number of searches.
        progress: called with a line at every tenth of the iterations.
    """

    uses_gradients: ClassVar[bool] = False
    iterations: int = 1000
    draws: int = field(default=10, kw_only=True)
    restarts: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts("iterations", "draws", "restarts")

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"Square-{self.iterations}{times_restarts(self.restarts)} (EOT {self.draws})"

    def check(self, inputs: torch.Tensor, labels: torch.Tensor) -> None:
        """Raise InputError unless inputs are labelled images with height and width."""
        super().check(inputs, labels)
        if inputs.dim() != 4:
            raise InputError(
                f"inputs have shape {tuple(inputs.shape)}; Square takes images of shape"
                " (batch, channels, height, width)"
            )

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> Chosen:
        """Search as often as asked and keep the best result of each image."""
        random = is_random(model, inputs, self.draws)
        attack = self if random else replace(self, draws=1)
        found = [
            Candidate(self.title, attack.search(model, inputs, labels, generator))
            for _ in range(self.restarts)
        ]
        return attack.choose(model, found, inputs, labels)

    def search(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Search once and return the last image kept."""
        stripes = draw_signs(inputs[:, :, :1], generator).expand_as(inputs)
        best = self.onto_shown(inputs + self.epsilon * stripes, inputs)
        for tried in range(1, self.iterations + 1):
            done = (tried - 1) / self.iterations
            side = square_side(done, inputs.shape[2], inputs.shape[3])
            covered = draw_squares(inputs, side, generator)
            signs = draw_signs(inputs[:, :, :1, :1], generator)
            painted = self.onto_shown(inputs + self.epsilon * signs, inputs)
            challenger = torch.where(covered, painted, best)
            better = self.margins(model, challenger, labels) > self.margins(model, best, labels)
            best = choose(better, challenger, best)
            if tried % max(1, self.iterations // 10) == 0:
                self.progress(f"{self.name}: {tried} of {self.iterations} squares")
        return best

    def onto_shown(self, images: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Return images in the ε-ball as they will be shown, on the grid."""
        return self.finish(self.project(images, inputs), inputs)

    def margins(self, model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean margins of the images over new runs."""
        with torch.no_grad():
            return margin(answers(model, images, self.draws), labels)


def square_side(done: float, height: int, width: int) -> int:
    """Return the side of the square when the share ``done`` of the iterations is over."""
    share = FIRST_SHARE / 2 ** sum(done > halving for halving in HALVINGS)
    side = round(math.sqrt(share * height * width))
    return min(max(side, 1), height, width)


def draw_squares(like: torch.Tensor, side: int, generator: torch.Generator) -> torch.Tensor:
    """Draw a place for each image's square; return (batch, 1, height, width), true inside."""

    def inside(length: int) -> torch.Tensor:
        free = length - side + 1
        first = torch.randint(free, (len(like), 1), generator=generator, device=like.device)
        place = torch.arange(length, device=like.device)
        return (place >= first) & (place < first + side)

    height, width = like.shape[2:]
    rows, columns = inside(height), inside(width)
    return (rows[:, :, None] & columns[:, None, :])[:, None]


def draw_signs(like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Draw −1 or +1 for each element, in the type of ``like``."""
    signs = torch.randint(2, like.shape, generator=generator, device=like.device)
    return (2 * signs - 1).to(like.dtype)
