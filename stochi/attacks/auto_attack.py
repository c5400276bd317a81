"""AutoAttack: several attacks without parameters to tune."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from stochi.attacks.apgd import APGD
from stochi.attacks.base import ImageAttack
from stochi.attacks.expectation import JUDGING_ROUNDS, expected_outcome, judge
from stochi.attacks.fab import FAB
from stochi.attacks.gradient import GradientAttack
from stochi.attacks.progress import ReportsProgress
from stochi.attacks.square import Square
from stochi.errors import InputError

VERSIONS = ("rand", "standard")


@dataclass(frozen=True)
class AutoAttack(GradientAttack, ReportsProgress):
    """AutoAttack (Croce and Hein, ICML 2020), built from ART's parts and our FAB.

    ``"rand"`` is the paper's version for random models: APGD-CE and APGD-DLR, with EOT.
    ``"standard"`` is APGD-CE, targeted APGD-DLR and FAB-T towards 9 classes each, and Square with
    5000 queries. ART's own AutoAttack differs: its APGD-DLR is untargeted, it runs DeepFool (in L2)
    instead of FAB, which ART lacks, and it counts an image as fooled after one wrong answer.

    The parts run one after another on the images that were still right in some draw. Each image
    keeps the result that the model gets right least often over fresh draws.

    Attributes:
        version: "rand" or "standard".
        iterations: iterations of the APGDs and of FAB; 100 in the paper.
        squares: iterations of Square; 2500 are 5000 queries.
        draws: number of EOT samples; 20 in the paper's "rand".
        progress: called with a line before every part, and while Square runs.
    """

    version: str = field(default="rand", kw_only=True)
    iterations: int = field(default=100, kw_only=True)
    squares: int = field(default=2500, kw_only=True)
    draws: int = field(default=20, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.version not in VERSIONS:
            raise InputError(f"version is {self.version!r}; choose from {', '.join(VERSIONS)}")
        self.check_counts("squares")

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"AutoAttack {self.version}-{self.iterations} (EOT {self.draws})"

    def parts(self) -> Sequence[ImageAttack]:
        """Return the attacks that it consists of, in their order."""
        epsilon, seed, iterations, draws = self.epsilon, self.seed, self.iterations, self.draws
        first = APGD(epsilon, seed, iterations, draws=draws)
        if self.version == "rand":
            return first, APGD(epsilon, seed, iterations, loss="dlr", draws=draws)
        return (
            first,
            APGD(epsilon, seed, iterations, loss="targeted-dlr", draws=draws),
            FAB(epsilon, seed, iterations, draws=draws),
            Square(epsilon, seed, self.squares, draws=draws, progress=self.progress),
        )

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Run the parts."""
        found = inputs
        rounds = JUDGING_ROUNDS if self.draws > 1 else 1
        for part in self.parts():
            right = expected_outcome(model, found, labels, self.draws, rounds).right
            left = (right > 0).nonzero().squeeze(1)
            if not len(left):
                break
            self.progress(f"{part.name}, {len(left)} of {len(inputs)} images")
            images, truth = inputs[left], labels[left]
            tried = part.perturb(model, images, truth, generator)
            found = found.index_copy(0, left, judge(model, [found[left], tried], truth, self.draws))
        return found
