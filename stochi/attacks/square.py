"""Square attack, as ART has it, by queries alone."""

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
from stochi.attacks.progress import TellsProgress
from stochi.errors import InputError

FIRST_SHARE = 0.8
"""Of the image, that the first square covers."""


@dataclass(frozen=True)
class Square(ImageAttack, TellsProgress):
    """Square attack (Andriushchenko et al., ECCV 2020): random squares of ±ε that lower the margin.

    It needs no gradient, so a masked one does not stop it, and it works on a Program
    (:class:`stochi.attacks.ProgramModel`). Incumbent and challenger are both asked anew at every
    step, over ``draws`` runs: the margin of one lucky run is no bar to beat. ART's, but for two
    things: it asks on where one answer was wrong, and its squares reach the last row and column.
    One square a step serves the whole batch, as in ART.

    Attributes:
        steps: squares tried; a step costs an image ``2·draws`` queries.
        draws: runs that a margin is averaged over, 1 for a model without randomness.
        restarts: of the whole search.
        progress: called with a line at every tenth of the steps.
    """

    uses_gradients: ClassVar[bool] = False
    steps: int = 1000
    draws: int = field(default=10, kw_only=True)
    restarts: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts("steps", "draws", "restarts")

    @property
    def name(self) -> str:
        """How the attack is called in reports."""
        return f"Square-{self.steps} (EOT {self.draws}), ε = {self.epsilon:g}"

    def check(self, inputs: torch.Tensor, labels: torch.Tensor) -> None:
        """Squares need two dimensions."""
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
        """Search."""
        require_art()
        if self.epsilon == 0:
            return inputs
        with seeded_numpy(self.seed):
            found = [self.search(model, inputs, labels) for _ in range(self.restarts)]
        return judge(model, found, labels, self.draws)

    def search(self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """One search, of all images together."""
        from art.attacks.evasion import SquareAttack
        from art.estimators.classification import BlackBoxClassifierNeuralNetwork

        height, width = inputs.shape[2:]
        # ART never draws a square's last possible place. A row and a column more, which the model
        # is not shown, bring it back.
        padded = functional.pad(inputs, (0, 1, 0, 1))
        with torch.no_grad():
            classes = answers(model, inputs[:1], 1).shape[2]
        asked = -2  # ART asks twice for its start, and twice a step

        def images(padded: Any) -> torch.Tensor:
            return torch.from_numpy(padded[:, :, :height, :width]).to(inputs)

        def lead_of_truth(shown: Any, one_hot: Any) -> Any:
            nonlocal asked
            asked += 1
            step, half = divmod(asked, 2)
            if step > 0 and not half and step % max(1, self.steps // 10) == 0:
                self.progress(f"{self.name}: {step} of {self.steps} squares")
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
            # A random model may be right the next time: no image is ever done.
            adv_criterion=lambda answered, one_hot: np.zeros(len(one_hot), bool),
            max_iter=self.steps,
            eps=float(self.epsilon),
            p_init=min(FIRST_SHARE, min(height, width) ** 2 / ((height + 1) * (width + 1))),
            batch_size=len(inputs),
            verbose=False,
        )
        found = square.generate(padded.cpu().numpy(), labels.cpu().numpy())
        return self.project(images(found), inputs)
