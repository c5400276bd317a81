"""The base of attacks that follow the model's gradient."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from stochi.attacks.base import ImageAttack
from stochi.attacks.chosen import Candidate, Chosen
from stochi.attacks.expectation import is_random
from stochi.attacks.surrogates.choice import SurrogateChoice, describe_sampling, make_surrogates
from stochi.attacks.surrogates.replacement import surrogate_in
from stochi.attacks.surrogates.surrogate import Surrogate
from stochi.errors import InputError

KEPT = ("worst", "last")


@dataclass(frozen=True)
class GradientAttack(ImageAttack):
    """White-box attack on the expectation over the model's draws, once with each surrogate.

    A subclass defines ``title`` and ``climb``. Each image keeps the result that the model gets
    right least often over fresh draws.

    Attributes:
        draws: EOT samples of a gradient. A model that answers the same twice gets 1.
        surrogates: what stands in for a spike's derivative: "own" (the network's), "adaptive",
            "potential", a kernel with its sharpness ("atan-25"), a value such as
            ``AdaptiveSurrogate(0.45)``, a function of ``snntorch.surrogate``, or several of these.
        keep: "worst", or "last": the end of the last climb, unjudged, over exactly ``draws`` runs a
            gradient. That is weaker and asks the model nothing more, as training needs it.
    """

    draws: int = field(default=10, kw_only=True)
    surrogates: SurrogateChoice | Sequence[SurrogateChoice] = field(default="own", kw_only=True)
    keep: str = field(default="worst", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts(*(n for n in ("draws", "iterations", "restarts") if hasattr(self, n)))
        object.__setattr__(self, "surrogates", make_surrogates(self.surrogates))
        if self.keep not in KEPT:
            raise InputError(f"keep is {self.keep!r}; choose from {', '.join(KEPT)}")

    @property
    def choices(self) -> tuple[Surrogate, ...]:
        """The surrogates as values."""
        return make_surrogates(self.surrogates)

    @property
    def sampled(self) -> str:
        """The end of a title: the draws, and the surrogates unless they are the network's own."""
        return describe_sampling(self.draws, self.choices)

    @abstractmethod
    def climb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
        random: bool,
    ) -> list[torch.Tensor]:
        """Return attacked images of one or several climbs.

        Args:
            model: with the surrogate to climb with.
            inputs, labels, generator: as for ``perturb``.
            random: whether the model answers the same images differently when asked again.
        """

    def climbs(self) -> int:
        """Return the number of climbs with each surrogate."""
        return 1

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> Chosen:
        """Climb with each surrogate and keep the worst result of each image, or the last."""
        judged = self.keep == "worst"
        random = not judged or is_random(model, inputs, self.draws)
        attack = self if random else replace(self, draws=1)
        found = []
        for surrogate in self.choices:
            for _ in range(self.climbs()):
                with surrogate_in(model, surrogate, len(inputs)):
                    images = attack.climb(model, inputs, labels, generator, random)
                name = replace(self, surrogates=surrogate).title
                found += [Candidate(name, each) for each in images]
        return attack.choose(model, found if judged else found[-1:], inputs, labels)
