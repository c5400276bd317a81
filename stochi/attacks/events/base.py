"""The base of attacks on events."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeVar

import torch
from torch import nn

from stochi.arguments import check_argument, check_fields
from stochi.attacks.base import Attack, check_seed
from stochi.attacks.chosen import Candidate, Chosen
from stochi.attacks.events.budget import KINDS, EventBudget, as_budget
from stochi.attacks.expectation import judge, judging_runs
from stochi.attacks.recipe import Recipe
from stochi.errors import InputError

AnyEventAttack = TypeVar("AnyEventAttack", bound="EventAttack")
TAKES = (
    "events of shape (time_steps, batch, *shape), exactly 0 or 1; for images, (batch, *shape),"
    " use PGD or another attack of make_attack"
)


def check_events(inputs: torch.Tensor, taker: str) -> None:
    """Raise InputError unless inputs are events, exactly 0 or 1.

    Args:
        taker: name of what takes them, for the message.
    """
    check_argument("inputs", inputs, torch.Tensor)
    if inputs.dim() < 3 or not inputs.numel() or inputs.is_complex():
        raise InputError(
            f"inputs are {inputs.dtype} of shape {tuple(inputs.shape)}; {taker} takes {TAKES}"
        )
    if not torch.equal(inputs * inputs, inputs):
        raise InputError(
            f"inputs have shape {tuple(inputs.shape)} and lie in"
            f" [{float(inputs.min()):g}, {float(inputs.max()):g}]; {taker} takes {TAKES}"
        )


@dataclass(frozen=True)
class EventAttack(Attack):
    """Change events within a budget; inputs are (time_steps, batch, *shape) of exactly 0 or 1.

    A subclass defines ``title`` and ``perturb``. A result outside the budget is an error. An attack
    uses all kinds of change of its budget that are ``usable`` for it.

    Attributes:
        budget: an :class:`EventBudget`, or a whole number of insertions and deletions.
        seed: seed of the attack's own random choices, a whole number in [0, 2⁶⁴).
        draws: runs that a gradient or an answer is averaged over. A model that answers the same
            twice needs 1.
    """

    batch_dim: ClassVar[int] = 1
    takes: ClassVar[str] = TAKES
    budget_field: ClassVar[str] = "changes"
    budget_unit: ClassVar[str] = "events"
    usable: ClassVar[tuple[str, ...]] = KINDS
    budget: EventBudget | int
    seed: int = 0
    draws: int = field(default=10, kw_only=True)

    def __post_init__(self) -> None:
        check_fields(self, besides=("seed",))
        object.__setattr__(self, "budget", as_budget(self.budget))
        check_seed(self.seed)
        self.check_counts("draws")
        if not set(self.usable) & set(self.allowed.kinds):
            raise InputError(
                f"budget allows {', '.join(self.allowed.kinds)}; {type(self).__name__} needs"
                f" {' or '.join(map(repr, self.usable))} among its kinds (kinds= of EventBudget,"
                " with max_delay= or max_distance= for moves; --kinds, like move-time:1)"
            )

    @property
    def recipe(self) -> Recipe:
        """What the attack is and does; a number stands for a budget of insertions and deletions."""
        found, budget = super().recipe, self.allowed
        usual = budget.count is not None and budget == EventBudget(budget.count)
        plain = budget.count if usual else repr(budget)
        return replace(found, parameters=found.parameters | {"budget": plain})

    @property
    def allowed(self) -> EventBudget:
        """The budget as a value."""
        return as_budget(self.budget)

    @property
    def used(self) -> EventBudget:
        """The budget with those kinds alone that the attack uses."""
        return self.allowed.only(self.usable)

    @property
    def kinds_title(self) -> str:
        """The part of a title that says what may change; "" for insertions and deletions."""
        budget = self.allowed
        if budget == EventBudget(budget.count):
            return ""
        share = "" if budget.share is None else f"{100 * budget.share:g} % of the events: "
        return f" [{share}{budget.title_of_kinds}]"

    @property
    def changes(self) -> float | None:
        """Largest number of changes of a sample, None if the budget does not name one."""
        return self.allowed.count

    def with_budget(self: AnyEventAttack, budget: float) -> AnyEventAttack:
        """Return the same attack with another number of changes."""
        check_argument("budget", budget, float)
        if not float(budget).is_integer():
            raise InputError(
                f"budget is {budget}; {type(self).__name__} needs a whole number of events"
            )
        return replace(self, budget=self.allowed.with_count(int(budget)))

    def check(self, inputs: torch.Tensor, labels: torch.Tensor) -> None:
        """Raise InputError unless inputs are labelled events, exactly 0 or 1."""
        super().check(inputs, labels)
        check_events(inputs, type(self).__name__)
        self.allowed.holds(inputs[:, :1], inputs[:, :1])  # raises for a shape that does not fit it

    def check_found(self, perturbed: torch.Tensor, inputs: torch.Tensor) -> None:
        """Raise InputError unless the result of ``perturb`` is events within the budget."""
        super().check_found(perturbed, inputs)
        within = self.allowed.holds(inputs, perturbed)
        if not bool(within.all()):
            outside = (~within).nonzero().flatten().tolist()
            raise InputError(
                f"{type(self).__name__}.perturb left the budget ({self.allowed.title}) in"
                f" {len(outside)} of {len(within)} samples, the first of them number {outside[0]}"
            )

    def choose(
        self,
        model: nn.Module,
        candidates: Sequence[Candidate],
        labels: torch.Tensor,
    ) -> Chosen:
        """Choose the worst candidate of each sample, judged over fresh draws."""
        shown = [candidate.images for candidate in candidates]
        if len(shown) == 1:
            return Chosen(shown[0], (candidates[0].name,) * len(labels))
        runs = judging_runs(model, shown[0], self.draws, self.batch_dim)
        found, numbers = judge(model, shown, labels, *runs, self.batch_dim)
        return Chosen(found, tuple(candidates[number].name for number in numbers.tolist()))
