"""Adversarial training: learn from attacked images instead of the images of the batch."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import nn

from stochi.arguments import check_fields
from stochi.attacks.pgd import PGD
from stochi.train.defences.attacks_in_training import (
    attacked,
    check_can_be_attacked,
    check_one_surrogate,
)
from stochi.train.defences.defence import Defence


@dataclass(frozen=True)
class FGSMTraining(Defence):
    """One step of size 1.25·ε from a random start (Wong et al., ICLR 2020).

    Plain FGSM always moves by exactly ±ε; a network can learn the answers at these corners of the
    ball alone ("catastrophic overfitting"). The random start makes that rarer, at the same cost.

    Attributes:
        epsilon: ε in [0, 1], the largest change of a pixel.
        draws: EOT samples of a gradient, 1 for a model without randomness.
        surrogate: what stands in for a spike's derivative in the attack, by its name ("own",
            "atan-25", …); the weights learn through the network's own in any case. "adaptive"
            begins flat with each batch, and stays so over a few iterations.

    Raises:
        InputError: a parameter is out of range.
    """

    name: ClassVar[str] = "fgsm"
    takes_streams: ClassVar[bool] = False
    epsilon: float = 0.1
    draws: int = 2
    surrogate: str = field(default="own", kw_only=True)

    def __post_init__(self) -> None:
        check_fields(self)
        attack = self.attack(seed=0)  # which checks the parameters
        check_one_surrogate(self.surrogate, attack)

    def attack(self, seed: int) -> PGD:
        """Return the attack on a batch; ``seed`` is the seed of its random choices."""
        return PGD(
            self.epsilon,
            seed,
            1,
            1.25 * self.epsilon,
            draws=self.draws,
            surrogates=self.surrogate,
            keep="last",
        )

    def check_model(self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> None:
        """Raise InputError if the model cannot be attacked."""
        check_can_be_attacked(self.attack(seed=0), model, inputs, labels)

    def loss(self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the cross-entropy of the attacked images alone.

        The attack runs on the model in eval mode (:func:`attacked`). The loss uses the batch's own
        statistics, as usual in training.
        """
        return super().loss(model, attacked(self.attack, model, inputs, labels), labels)


@dataclass(frozen=True)
class PGDTraining(FGSMTraining):
    """PGD from a random start, with steps of 2.5·ε/iterations (Madry et al., ICLR 2018).

    Attributes:
        iterations: number of iterations of the attack on every batch; 7 on CIFAR-10 in the paper.
    """

    name: ClassVar[str] = "pgd"
    iterations: int = 5

    def attack(self, seed: int) -> PGD:
        """Return the attack on a batch; ``seed`` is the seed of its random choices."""
        return PGD(
            self.epsilon,
            seed,
            self.iterations,
            draws=self.draws,
            surrogates=self.surrogate,
            keep="last",
        )
