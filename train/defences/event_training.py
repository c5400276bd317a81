"""Adversarial training on events: learn from attacked events instead of those of the batch."""

from dataclasses import dataclass, field
from numbers import Integral
from typing import ClassVar

import torch
from torch import nn

from stochi.arguments import check_fields
from stochi.attacks.events.budget import EventBudget
from stochi.attacks.events.top_gradient import TopGradient
from stochi.errors import InputError
from stochi.train.defences.attacks_in_training import (
    attacked,
    check_can_be_attacked,
    check_one_surrogate,
)
from stochi.train.defences.defence import Defence


@dataclass(frozen=True)
class EventTraining(Defence):
    """Each batch is attacked by changes of a few events along the gradient.

    The idea of Büchel et al. (Frontiers in Neuroscience 2022), who attack with probabilistic PGD.
    Here the attack is :class:`stochi.attacks.TopGradient`, which keeps to a number of events.

    Attributes:
        flips: number of events that are inserted or deleted in each sample, at least 1.
        iterations: number of rounds of the attack on every batch.
        draws: EOT samples of a gradient, 1 for a model without randomness.
        surrogate: what stands in for a spike's derivative in the attack, as for ``fgsm``.

    Raises:
        InputError: a parameter is out of range.
    """

    name: ClassVar[str] = "events"
    takes_images: ClassVar[bool] = False
    flips: int = 50
    iterations: int = 3
    draws: int = 2
    surrogate: str = field(default="own", kw_only=True)

    def __post_init__(self) -> None:
        check_fields(self)
        if not isinstance(self.flips, Integral) or self.flips < 1:
            raise InputError(f"flips is {self.flips}; it must be a whole number of at least 1")
        attack = self.attack(seed=0)  # which checks the other parameters
        check_one_surrogate(self.surrogate, attack)

    def attack(self, seed: int) -> TopGradient:
        """Return the attack on a batch; ``seed`` is the seed of its random choices."""
        return TopGradient(
            EventBudget(count=self.flips),
            seed,
            self.iterations,
            draws=self.draws,
            surrogates=self.surrogate,
        )

    def check_model(self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> None:
        """Raise InputError if the model cannot be attacked."""
        check_can_be_attacked(self.attack(seed=0), model, inputs, labels)

    def loss(self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the cross-entropy of the attacked events alone.

        As in ``fgsm``, the attack runs on the model in eval mode, the loss in training mode.
        """
        return super().loss(model, attacked(self.attack, model, inputs, labels), labels)
