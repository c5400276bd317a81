"""A greedy attack by queries that flips a few input events."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import nn

from stochi.attacks.base import Attack, check_seed
from stochi.attacks.expectation import answers
from stochi.attacks.objectives import margin
from stochi.errors import InputError


@dataclass(frozen=True)
class GreedySpikes(Attack):
    """Greedy search on events: each round makes the one flip that lowers the model's lead most.

    Inputs are (time_steps, batch, *shape) of 0 and 1. A round draws ``candidates`` places that were
    not flipped yet at random, or takes all places if there are fewer. It tries each flip on its
    own, all in one batch, and makes the best one if it lowers the true class's mean lead over
    ``draws`` runs. A sample is done when no run is right or the budget is spent. This is a
    heuristic: it gives no bound, and it misses flips that work only together. Discrete attacks by
    gradient: Büchel et al., 2021, arXiv:2110.11689.

    Attributes:
        flips: number of events that may be added or removed in a sample; a budget replaces it.
        seed: seed of the choice of candidates, a whole number in [0, 2⁶⁴).
        candidates: places tried per round; a round costs ``(candidates + 1)·draws`` queries.
        draws: runs that a margin is averaged over, 1 for a model without randomness.
    """

    uses_gradients: ClassVar[bool] = False
    batch_dim: ClassVar[int] = 1
    takes: ClassVar[str] = (
        "events of shape (time_steps, batch, *shape), exactly 0 or 1; for images, (batch, *shape),"
        " use PGD or another attack of make_attack"
    )
    budget_field: ClassVar[str] = "flips"
    budget_unit: ClassVar[str] = "events"
    flips: int
    seed: int = 0
    candidates: int = field(default=256, kw_only=True)
    draws: int = field(default=10, kw_only=True)

    def __post_init__(self) -> None:
        if self.flips < 0:
            raise InputError(f"flips is {self.flips}; it counts events and must be 0 or more")
        check_seed(self.seed)
        self.check_counts("candidates", "draws")

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"greedy flips (EOT {self.draws})"

    def with_budget(self, budget: float) -> "GreedySpikes":
        """Return the same attack with another number of flips."""
        if not float(budget).is_integer():
            raise InputError(f"budget is {budget}; GreedySpikes needs a whole number of events")
        return replace(self, flips=int(budget))

    def check(self, inputs: torch.Tensor, labels: torch.Tensor) -> None:
        """Raise InputError unless inputs are labelled events, exactly 0 or 1."""
        super().check(inputs, labels)
        if inputs.dim() < 3 or not torch.equal(inputs * inputs, inputs):
            raise InputError(
                f"inputs have shape {tuple(inputs.shape)} and lie in"
                f" [{float(inputs.min()):g}, {float(inputs.max()):g}]; GreedySpikes takes"
                f" {self.takes}"
            )

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Search the samples one by one."""
        found = [
            self.flip(model, events, label, generator)
            for events, label in zip(inputs.unbind(1), labels, strict=True)
        ]
        return torch.stack(found, 1)

    def flip(
        self,
        model: nn.Module,
        events: torch.Tensor,
        label: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Change at most ``flips`` of one sample's (time_steps, *shape) events."""
        current = events.reshape(-1).clone()
        untouched = torch.ones_like(current, dtype=torch.bool)
        for _ in range(int(self.flips)):
            free = untouched.nonzero().squeeze(1)
            order = torch.randperm(len(free), generator=generator, device=events.device)
            tried = free[order[: self.candidates]]
            if not len(tried):
                break
            # The first row stays as it is: a flip must beat it.
            rows = current.repeat(len(tried) + 1, 1)
            rows[torch.arange(len(tried), device=rows.device) + 1, tried] = 1 - current[tried]
            batch = rows.view(-1, *events.shape).transpose(0, 1)
            with torch.no_grad():
                logits = answers(model, batch, self.draws, batch_dim=1)
            if not bool((logits[:, 0].argmax(1) == label).any()):
                break
            margins = margin(logits, label.expand(len(rows)))
            best = int(margins.argmax())
            if best:
                current[tried[best - 1]] = 1 - current[tried[best - 1]]
                untouched[tried[best - 1]] = False
        return current.view(events.shape)
