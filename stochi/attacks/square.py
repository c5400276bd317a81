"""The Square attack in ART's implementation, by queries alone."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from stochi.attacks.art_library import require_art, seeded_numpy
from stochi.attacks.base import ImageAttack
from stochi.attacks.expectation import answers, judge
from stochi.attacks.objectives import margin
from stochi.attacks.progress import ReportsProgress
from stochi.errors import InputError

FIRST_SHARE = 0.8
"""Share of the image that the first square covers."""


@dataclass(frozen=True)
class Square(ImageAttack, ReportsProgress):
    """Square attack (Andriushchenko et al., ECCV 2020): random squares of ±ε that lower the margin.

    It needs no gradient, so a masked one does not stop it, and it works on a Program
    (:class:`stochi.attacks.ProgramModel`). Each iteration evaluates both the best image so far and
    its challenger over ``draws`` new runs, so that the challenger need not beat the margin of one
    lucky run. The implementation is ART's, with two changes: it goes on after an image's first
    wrong answer, and its squares reach the last row and column. One square per iteration serves the
    whole batch, as in ART.

    Attributes:
        iterations: number of squares tried; each costs ``2·draws`` queries per image.
        draws: runs that a margin is averaged over, 1 for a model without randomness.
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
        return f"Square-{self.iterations} (EOT {self.draws})"

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
    ) -> torch.Tensor:
        """Search as often as asked and keep the best result of each image."""
        require_art()
        if self.epsilon == 0:
            return inputs
        with seeded_numpy(self.seed):
            found = [self.search(model, inputs, labels) for _ in range(self.restarts)]
        return judge(model, found, labels, self.draws)

    def search(self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Search once, for all images together."""
        # ART is an optional extra.
        from art.attacks.evasion import SquareAttack
        from art.estimators.classification import BlackBoxClassifierNeuralNetwork

        height, width = inputs.shape[2:]
        # ART never draws a square's last possible place. One more row and column, which the model
        # does not get to see, make that place possible.
        padded = functional.pad(inputs, (0, 1, 0, 1))
        with torch.no_grad():
            classes = answers(model, inputs[:1], 1).shape[2]
        asked = -2  # ART asks twice about its start, and twice per iteration

        def images(padded: Any) -> torch.Tensor:
            return torch.from_numpy(padded[:, :, :height, :width]).to(inputs)

        def lead_of_truth(shown: Any, one_hot: Any) -> Any:
            nonlocal asked
            asked += 1
            tried, half = divmod(asked, 2)
            if tried > 0 and not half and tried % max(1, self.iterations // 10) == 0:
                self.progress(f"{self.name}: {tried} of {self.iterations} squares")
            with torch.no_grad():
                logits = answers(model, images(shown), self.draws)
                truth = torch.from_numpy(one_hot.argmax(1)).to(labels)
                return -margin(logits, truth).cpu().numpy()

        def unasked(shown: Any) -> Any:
            return np.zeros((len(shown), classes), np.float32)

        square = SquareAttack(
            BlackBoxClassifierNeuralNetwork(
                unasked, tuple(padded.shape[1:]), classes, clip_values=(0.0, 1.0)
            ),
            loss=lead_of_truth,
            # A random model may be right the next time, so no image is ever done.
            adv_criterion=lambda answered, one_hot: np.zeros(len(one_hot), bool),
            max_iter=self.iterations,
            eps=float(self.epsilon),
            p_init=min(FIRST_SHARE, min(height, width) ** 2 / ((height + 1) * (width + 1))),
            batch_size=len(inputs),
            verbose=False,
        )
        found = square.generate(padded.cpu().numpy(), labels.cpu().numpy())
        return self.project(images(found), inputs)
