"""AutoAttack: several attacks without parameters to tune."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from stochi.arguments import check_fields
from stochi.attacks.apgd import APGD
from stochi.attacks.base import ImageAttack
from stochi.attacks.chosen import Chosen
from stochi.attacks.expectation import (
    Outcome,
    expected_outcome,
    is_worse,
    judging_runs,
)
from stochi.attacks.fab import FAB
from stochi.attacks.pgd import PGD
from stochi.attacks.progress import ReportsProgress
from stochi.attacks.sa_pgd import SAPGD
from stochi.attacks.square import Square
from stochi.attacks.surrogates.choice import (
    ADAPTIVE,
    OWN,
    SurrogateChoice,
    describe_sampling,
    make_surrogates,
)
from stochi.attacks.surrogates.replacement import spiking_neurons
from stochi.errors import InputError

VERSION_DRAWS = {"snn": 10, "rand": 20, "standard": 20}
"""Version → its EOT samples; 20 are those of the paper's "rand"."""
SHARP = "atan-25"
"""A fixed surrogate, far sharper than those of training."""
VERSION_SURROGATES = {"snn": (ADAPTIVE, SHARP), "rand": OWN, "standard": OWN}
"""Version → the surrogates that it follows unless told otherwise."""
UNCHANGED = "clean image"
"""Name of the part for images that no part made worse."""


@dataclass(frozen=True)
class AutoAttack(ImageAttack, ReportsProgress):
    """AutoAttack (Croce and Hein, ICML 2020), and a version of it for spiking networks.

    ``"snn"`` changes what decides on a spiking network, the surrogate gradient. It consists of PGD
    with cosine-decayed steps and SA-PGD, both with the adaptive surrogate; PGD with a fixed sharp
    one; and APGD on the margin with the adaptive one. On a model without spiking neurons, its parts
    follow the model's own gradient.
    ``"rand"`` is the paper's version for random models: APGD-CE and APGD-DLR, with EOT.
    ``"standard"`` is APGD-CE, targeted APGD-DLR and FAB-T towards 9 classes each, and Square with
    5000 queries.

    The parts run one after another on the images that were still right in some draw. Each image
    keeps the result that the model gets right least often over fresh draws.

    Attributes:
        version: "snn", "rand" or "standard".
        iterations: iterations of each part but Square; 100 in the paper.
        squares: iterations of Square; 2500 are 5000 queries.
        draws: number of EOT samples; 0 takes the version's own, 10 for "snn", otherwise 20.
        surrogates: for "rand" and "standard", as for any gradient attack; () takes the version's,
            and "snn" takes no other.
        progress: called with a line before every part, and while Square runs.
    """

    version: str = field(default="rand", kw_only=True)
    iterations: int = field(default=100, kw_only=True)
    squares: int = field(default=2500, kw_only=True)
    draws: int = field(default=0, kw_only=True)
    surrogates: SurrogateChoice | Sequence[SurrogateChoice] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.version not in VERSION_DRAWS:
            known = ", ".join(VERSION_DRAWS)
            raise InputError(f"version is {self.version!r}; choose from {known}")
        if self.draws == 0:
            object.__setattr__(self, "draws", VERSION_DRAWS[self.version])
        super().__post_init__()
        self.check_counts("iterations", "squares", "draws")
        standard = make_surrogates(VERSION_SURROGATES[self.version])
        chosen = standard if self.surrogates == () else make_surrogates(self.surrogates)
        object.__setattr__(self, "surrogates", chosen)
        if self.version == "snn" and chosen != standard:
            raise InputError(
                "AutoAttack's version 'snn' chooses its own surrogates; give none, or choose"
                " 'rand', 'standard' or another attack"
            )

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        told = OWN if self.version == "snn" else self.surrogates
        sampling = describe_sampling(self.draws, make_surrogates(told))
        return f"AutoAttack {self.version}-{self.iterations} {sampling}"

    def parts(self, spiking: bool = True) -> Sequence[ImageAttack]:
        """Return the attacks that it consists of, in their order.

        Args:
            spiking: whether the model has spiking neurons, whose surrogate can be replaced.
        """
        epsilon, seed, iterations = self.epsilon, self.seed, self.iterations
        draws, grid = self.draws, self.grid
        if self.version == "snn":
            adaptive, sharp = (ADAPTIVE, SHARP) if spiking else (OWN, OWN)
            pgd = PGD(epsilon, seed, iterations, schedule="cosine", draws=draws, grid=grid)
            sa_pgd = SAPGD(epsilon, seed, iterations, draws=draws, grid=grid)
            apgd = APGD(epsilon, seed, iterations, loss="margin", draws=draws, grid=grid)
            parts = (
                replace(pgd, surrogates=adaptive),
                replace(sa_pgd, surrogates=adaptive),
                replace(pgd, surrogates=sharp),
                replace(apgd, surrogates=adaptive),
            )
            return tuple(dict.fromkeys(parts))
        given = self.surrogates
        first = APGD(epsilon, seed, iterations, draws=draws, grid=grid, surrogates=given)
        if self.version == "rand":
            return first, replace(first, loss="dlr")
        return (
            first,
            replace(first, loss="targeted-dlr"),
            FAB(epsilon, seed, iterations, draws=draws, grid=grid, surrogates=given),
            Square(epsilon, seed, self.squares, draws=draws, grid=grid, progress=self.progress),
        )

    def check(self, inputs: torch.Tensor, labels: torch.Tensor) -> None:
        """Raise InputError if inputs and labels are not of the form that all parts take."""
        super().check(inputs, labels)
        for part in self.parts():
            part.check(inputs, labels)

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> Chosen:
        """Run the parts."""
        runs = judging_runs(model, inputs, self.draws)
        found, by = self.finish(inputs.clone(), inputs), [UNCHANGED] * len(labels)
        kept = expected_outcome(model, found, labels, *runs)
        for part in self.parts(spiking=bool(spiking_neurons(model))):
            left = (kept.right > 0).nonzero().squeeze(1)
            if not len(left):
                break
            self.progress(f"{part.name}, {len(left)} of {len(inputs)} images")
            images, truth = inputs[left], labels[left]
            tried = part.perturb(model, images, truth, generator)
            made = tried.inputs if isinstance(tried, Chosen) else tried
            shown = self.finish(made.detach(), images)
            outcome = expected_outcome(model, shown, truth, *runs)
            better = is_worse(outcome, Outcome(kept.right[left], kept.loss[left]))
            places = left[better]
            found[places] = shown[better]
            kept.right[places], kept.loss[places] = outcome.right[better], outcome.loss[better]
            for place in places.tolist():
                by[place] = part.title
        return Chosen(found, tuple(by))
