"""The base of attacks on events that follow the model's gradient."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import nn

from stochi.attacks.chosen import Candidate, Chosen
from stochi.attacks.events.base import EventAttack
from stochi.attacks.events.judging import choose_sparsest
from stochi.attacks.events.menu import Menu, list_changes
from stochi.attacks.events.places import flatten_places
from stochi.attacks.expectation import Slope, answers, expected_slope, is_random
from stochi.attacks.objectives import Objective, margin
from stochi.attacks.surrogates.choice import SurrogateChoice, describe_sampling, make_surrogates
from stochi.attacks.surrogates.replacement import surrogate_in
from stochi.attacks.surrogates.surrogate import Surrogate

TIES = 1e-9
"""Size of the random numbers that decide between changes of equal value."""


class Surface(NamedTuple):
    """What an attacker climbs: a model's answers about labelled events.

    Attributes:
        model: with the surrogate to climb with.
        labels: (n,) the true classes.
        draws: runs of a gradient or an answer.
        random: whether the model answers differently when asked again.
    """

    model: nn.Module
    labels: torch.Tensor
    draws: int
    random: bool

    def slope(self, frames: torch.Tensor, objective: Objective = margin) -> Slope:
        """Return the objective, its gradient (n, places) and the shares of right answers."""
        found = expected_slope(self.model, frames, self.labels, self.draws, objective, 1)
        return found._replace(gradients=flatten_places(found.gradients))

    def logits(self, frames: torch.Tensor) -> torch.Tensor:
        """Return the mean logits over the draws, (rows, classes)."""
        with torch.no_grad():
            return answers(self.model, frames, self.draws, 1).mean(0)

    def margins(self, frames: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return how far the best wrong class leads, mean over the draws, (rows,)."""
        with torch.no_grad():
            return margin(answers(self.model, frames, self.draws, 1), labels)


@dataclass(frozen=True)
class EventGradientAttack(EventAttack):
    """White-box attack on events over the model's draws, once with each surrogate.

    A subclass defines ``title`` and ``search``. Each sample keeps the result that the model gets
    right least often over fresh draws, and among those that it never gets right, the one with the
    fewest changes.

    Attributes:
        surrogates: what stands in for a spike's derivative: "own" (the network's), "adaptive",
            "potential", a kernel with its sharpness ("atan-25"), a value such as
            ``AdaptiveSurrogate(0.45)``, a function of ``snntorch.surrogate``, or several of these.
    """

    surrogates: SurrogateChoice | Sequence[SurrogateChoice] = field(default="own", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "surrogates", make_surrogates(self.surrogates))

    @property
    def choices(self) -> tuple[Surrogate, ...]:
        """The surrogates as values."""
        return make_surrogates(self.surrogates)

    @property
    def sampled(self) -> str:
        """The end of a title: the draws, the surrogates and the kinds unless they are usual."""
        return describe_sampling(self.draws, self.choices) + self.kinds_title

    @abstractmethod
    def search(
        self, surface: Surface, menu: Menu, limits: torch.Tensor, generator: torch.Generator
    ) -> list[torch.Tensor]:
        """Return attacked samples to choose from, (n, places) bool each.

        Args:
            surface: the model, with the surrogate to climb with.
            menu: all single changes of the samples.
            limits: (n,) largest number of changes of each.
            generator: of the attack's own random choices.
        """

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> Chosen:
        """Search with each surrogate and keep the worst result of each sample."""
        random = is_random(model, inputs, self.draws, 1)
        surface = Surface(model, labels, self.draws if random else 1, random)
        menu, limits = list_changes(self.used, inputs), self.allowed.limits(inputs)
        found = []
        for surrogate in self.choices:
            with surrogate_in(model, surrogate, len(labels), 1):
                events = self.search(surface, menu, limits, generator)
            name = replace(self, surrogates=surrogate).title
            found += [Candidate(name, menu.frames(e, inputs.dtype)) for e in events]
        return choose_sparsest(model, found, inputs, labels, surface.draws)


def break_ties(values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return values with a tiny random part, which decides between equal ones."""
    size = values.abs().amax(1, keepdim=True).clamp_min(1)
    noise = torch.rand(values.shape, generator=generator, device=values.device)
    return values.double() + TIES * size * noise
