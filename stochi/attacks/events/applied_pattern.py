"""A pattern as an attack, for reports."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import nn

from stochi.attacks.events.base import EventAttack
from stochi.attacks.events.event_pattern import EventPattern


@dataclass(frozen=True)
class AppliedPattern(EventAttack):
    """Insert a pattern into every sample, each at a shift of its own; the model is not asked.

    Attributes:
        budget: what may change; with a smaller count than the pattern's, as many of its most
            important events are inserted.
        seed: of the shifts.
        pattern: the pattern, of :func:`stochi.attacks.train_universal` for example.
        shifted: whether shifts are drawn; if not, the pattern is in the middle of its ranges.

    Raises:
        InputError: the budget does not fit the pattern, as for :class:`EventPattern`.
    """

    uses_model: ClassVar[bool] = False
    uses_gradients: ClassVar[bool] = False
    draws: int = field(default=1, kw_only=True)
    pattern: EventPattern = field(kw_only=True)
    shifted: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.pattern.within(self.allowed)  # raises for a budget that does not fit

    @classmethod
    def of(cls, pattern: EventPattern, seed: int = 0) -> "AppliedPattern":
        """Return the attack within the pattern's own budget."""
        return cls(pattern.budget, seed, pattern=pattern)

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return self.pattern.form.title

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Insert the pattern."""
        seed = self.seed if self.shifted else None
        return self.pattern.within(self.allowed).apply(inputs, seed)
