"""Flip the few input events that matter most, by queries alone."""

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
    """Greedy search on events: in each round the one flip that lowers the margin most.

    Inputs are (steps, batch, *shape) of 0 and 1. A round tries ``candidates`` places that were not
    flipped yet, drawn at random (all, where there are no more), each on its own, side by side in
    one batch, and makes the best flip if the mean margin over ``draws`` runs falls by it. A sample
    is done when no run was right or the budget is spent. A heuristic: no bound, and flips that
    work only together stay unseen. Discrete attacks by gradient: Büchel et al., 2021,
    arXiv:2110.11689.

    Attributes:
        flips: how many events may be added or removed in a sample; a budget replaces it.
        seed: of the candidates, a whole number in [0, 2⁶⁴).
        candidates: places a round; a round costs ``(candidates + 1)·draws`` queries.
        draws: runs that a margin is averaged over, 1 for a model without randomness.
    """

    uses_gradients: ClassVar[bool] = False
    batch_dim: ClassVar[int] = 1
    takes: ClassVar[str] = (
        "events of shape (steps, batch, *shape), exactly 0 or 1; for images, (batch, *shape), use"
        " PGD or another attack of make_attack"
    )
    flips: int
    seed: int = 0
    candidates: int = field(default=256, kw_only=True)
    draws: int = field(default=10, kw_only=True)

    def __post_init__(self) -> None:
        if self.flips < 0:
            raise InputError(f"flips is {self.flips}; it counts events, from 0 on")
        check_seed(self.seed)
        self.check_counts("candidates", "draws")

    @property
    def name(self) -> str:
        """How the attack is called in reports."""
        return f"greedy flips (EOT {self.draws}), {self.flips} events"

    def with_budget(self, budget: float) -> "GreedySpikes":
        """The same attack with another number of flips."""
        if not float(budget).is_integer():
            raise InputError(f"budget is {budget}; GreedySpikes counts events, in whole numbers")
        return replace(self, flips=int(budget))

    def check(self, inputs: torch.Tensor, labels: torch.Tensor) -> None:
        """Events are 0 or 1."""
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
        """Sample by sample."""
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
        """(steps, *shape) events of one sample → the same with at most ``flips`` others."""
        current = events.reshape(-1).clone()
        untouched = torch.ones_like(current, dtype=torch.bool)
        for _ in range(int(self.flips)):
            free = untouched.nonzero().squeeze(1)
            order = torch.randperm(len(free), generator=generator, device=events.device)
            tried = free[order[: self.candidates]]
            if not len(tried):
                break
            # The first row stays as it is: what a flip must beat.
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
