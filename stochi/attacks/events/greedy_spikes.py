"""A greedy attack by queries that changes a few input events."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import nn

from stochi.attacks.events.base import EventAttack
from stochi.attacks.events.budget import EventBudget
from stochi.attacks.events.menu import Menu, list_changes
from stochi.attacks.expectation import answers
from stochi.attacks.objectives import margin
from stochi.attacks.recipe import Recipe
from stochi.errors import InputError


@dataclass(frozen=True, init=False)
class GreedySpikes(EventAttack):
    """Greedy search on events: each round makes the change that lowers the model's lead most.

    Inputs are (time_steps, batch, *shape) of 0 and 1. A round draws ``candidates`` changes at
    random from those that are left, or takes all if there are fewer. It tries each on its own, all
    in one batch, and makes the best one if it lowers the true class's mean lead over ``draws``
    runs. A sample is done when no run is right, or after as many rounds as the budget has changes.
    This is a heuristic: it gives no bound, and it misses changes that work only together. Discrete
    attacks by gradient: Büchel et al., 2021, arXiv:2110.11689.

    Args:
        flips: number of events that may be added or removed in a sample, or an
            :class:`EventBudget`; a budget replaces it.
        seed: seed of the choice of candidates, a whole number in [0, 2⁶⁴).
        candidates: changes tried per round; a round costs ``(candidates + 1)·draws`` queries.
        draws: runs that a margin is averaged over, 1 for a model without randomness.
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
        rows = torch.arange(len(labels), device=inputs.device).split(1)
        found = [
            self.change(model, menu.rows(row), label, limit, generator)
            for row, label, limit in zip(rows, labels, limits, strict=True)
        ]
        return menu.frames(torch.cat(found), inputs.dtype)

    def change(
        self,
        model: nn.Module,
        menu: Menu,
        label: torch.Tensor,
        limit: int,
        generator: torch.Generator,
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
            rows = torch.cat([before, menu.each(before, tried[None])[0]])
            with torch.no_grad():
                logits = answers(model, menu.frames(rows), self.draws, batch_dim=1)
            if not bool((logits[:, 0].argmax(1) == label).any()):
                break
            best = int(margin(logits, label.expand(len(rows))).argmax())
            if best:
                made[0, tried[best - 1]] = True
        return menu.events(made)
