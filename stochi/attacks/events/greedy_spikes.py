"""A greedy attack by queries that changes a few input events."""

from dataclasses import dataclass, field, replace
from typing import ClassVar, NamedTuple

import torch
from torch import nn

from stochi.attacks.events.base import EventAttack
from stochi.attacks.events.budget import EventBudget
from stochi.attacks.events.judging import confirm_wrong
from stochi.attacks.events.menu import Menu, list_changes
from stochi.attacks.expectation import JUDGING_DRAWS, answers, is_random
from stochi.attacks.objectives import margin
from stochi.attacks.recipe import Recipe
from stochi.errors import InputError

RACE = 4
"""Factor by which candidates become fewer, and draws more, in each round of a race."""
SURE = 10
"""Smallest number of draws by which a model is found to be random."""


@dataclass(frozen=True, init=False)
class GreedySpikes(EventAttack):
    """Greedy search on events: each round makes the change that lowers the model's lead most.

    Inputs are (time_steps, batch, *shape) of 0 and 1. A round draws ``candidates`` changes at
    random from those that are left, or takes all if there are fewer. It tries each on its own, all
    in one batch, and makes the best one if it lowers the true class's mean lead over ``draws``
    runs. A sample is done when no run is right, or after as many rounds as the budget has changes.

    On a random model, the best of many candidates by a few draws is the luckiest. So the best
    quarter is tried again over four times as many fresh draws, until these are 50 or more, and the
    sample as it is takes part. That no run is right is confirmed over 50 fresh ones or more.

    This is a heuristic: it gives no bound, and it misses changes that work only together. Discrete
    attacks by gradient: Büchel et al., 2021, arXiv:2110.11689.

    Args:
        flips: number of events that may be added or removed in a sample, or an
            :class:`EventBudget`; a budget replaces it.
        seed: seed of the choice of candidates, a whole number in [0, 2⁶⁴).
        candidates: changes tried per round; a round costs ``(candidates + 1)·draws`` queries, and
            on a random model about as many each time that the draws become four times as many.
        draws: runs that a margin is averaged over first, 1 for a model without randomness.
        budget: another name for ``flips``.
    """

    uses_gradients: ClassVar[bool] = False
    budget_field: ClassVar[str] = "flips"
    candidates: int = field(default=256, kw_only=True)

    def __init__(
        self,
        flips: EventBudget | int | None = None,
        seed: int = 0,
        *,
        candidates: int = 256,
        draws: int = 10,
        budget: EventBudget | int | None = None,
    ) -> None:
        if (flips is None) == (budget is None):
            raise InputError(f"flips is {flips} and budget is {budget}; give one of them")
        values = {"budget": budget if flips is None else flips, "seed": seed}
        for name, value in {**values, "candidates": candidates, "draws": draws}.items():
            object.__setattr__(self, name, value)
        self.__post_init__()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts("candidates")

    @property
    def flips(self) -> int | None:
        """Largest number of changes of a sample, None if the budget does not name one."""
        return self.allowed.count

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"greedy flips (EOT {self.draws}){self.kinds_title}"

    @property
    def recipe(self) -> Recipe:
        """What the attack is and does, as a value."""
        found = super().recipe
        named = {"flips" if k == "budget" else k: v for k, v in found.parameters.items()}
        return replace(found, parameters=named)

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Search the samples one by one."""
        menu, limits = list_changes(self.used, inputs), self.allowed.limits(inputs).tolist()
        random = is_random(model, inputs, max(SURE, self.draws), 1)
        rows = torch.arange(len(labels), device=inputs.device).split(1)
        found = [
            self.change(_Asked(model, label, random), menu.rows(row), limit, generator)
            for row, label, limit in zip(rows, labels, limits, strict=True)
        ]
        return menu.frames(torch.cat(found), inputs.dtype)

    def change(
        self, asked: "_Asked", menu: Menu, limit: int, generator: torch.Generator
    ) -> torch.Tensor:
        """Return one sample after at most ``limit`` changes, (1, places) bool."""
        made = menu.none()
        for _ in range(limit):
            free = (menu.legal & ~menu.blocked(made))[0].nonzero().squeeze(1)
            order = torch.randperm(len(free), generator=generator, device=free.device)
            tried = free[order[: self.candidates]]
            if not len(tried):
                break
            # The first row stays as it is: a change must beat it.
            before = menu.events(made)
            frames = menu.frames(torch.cat([before, menu.each(before, tried[None])[0]]))
            margins, right = asked.measure(frames, self.draws)
            if not right and asked.confirms(frames[:, :1], self.draws):
                break
            best = asked.race(frames, margins, self.draws)
            if best:
                made[0, tried[best - 1]] = True
        return menu.events(made)


class _Asked(NamedTuple):
    """A model that is asked about changes of one sample.

    Attributes:
        model: the model.
        label: () the true class.
        random: whether it answers differently when asked again.
    """

    model: nn.Module
    label: torch.Tensor
    random: bool

    def measure(self, frames: torch.Tensor, draws: int) -> tuple[torch.Tensor, bool]:
        """Return the best wrong class's mean leads, (rows,), and if the first is ever right."""
        with torch.no_grad():
            logits = answers(self.model, frames, draws, 1)
        right = bool((logits[:, 0].argmax(1) == self.label).any())
        return margin(logits, self.label.expand(frames.shape[1])), right

    def confirms(self, frames: torch.Tensor, draws: int) -> bool:
        """Return whether one sample that seems wrong is so in fresh runs, too."""
        if not self.random:
            return True
        return bool(confirm_wrong(self.model, frames, self.label[None], draws, JUDGING_DRAWS))

    def race(self, frames: torch.Tensor, margins: torch.Tensor, draws: int) -> int:
        """Return the row of the largest lead; row 0 takes part in every round of a race."""
        rows = torch.arange(len(margins), device=margins.device)
        while self.random and draws < JUDGING_DRAWS:
            few = min(len(rows) - 1, max(1, len(rows) // RACE))
            rows = torch.cat([rows[:1], rows[1 + margins[1:].topk(few).indices]])
            draws *= RACE
            margins, _ = self.measure(frames[:, rows], draws)
        return int(rows[margins.argmax()])
