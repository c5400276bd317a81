"""Adversarial training: learn from the images that an attack makes of the batch."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from stochi.attacks.pgd import PGD
from stochi.train.defence import Defence


@dataclass(frozen=True)
class FGSMTraining(Defence):
    """One step of size 1.25·ε from a random start (Wong et al., ICLR 2020).

    Plain FGSM always moves by exactly ±ε; a network can learn to answer these corners of the ball
    alone ("catastrophic overfitting"). The random start makes that rarer, at the same price.

    Attributes:
        epsilon: ε in [0, 1], by at most so much a pixel is moved.
        draws: EOT samples of a gradient, 1 for a model that is not random.

    Raises:
        InputError: a parameter is out of range.
    """

    name: ClassVar[str] = "fgsm"
    epsilon: float = 0.1
    draws: int = 2

    def __post_init__(self) -> None:
        self.attack(seed=0)  # which checks the parameters

    def attack(self, seed: int) -> PGD:
        """The attack on a batch, with random choices of its own."""
        return PGD(self.epsilon, seed, 1, 1.25 * self.epsilon, draws=self.draws)

    def loss(self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The cross-entropy of the attacked images alone.

        The attack is made on the model in eval mode: it passes through batch norm with the
        statistics that the deployed model has, and its many passes over half-made images do not
        move these. The loss then takes the batch's own statistics, as ever in training.
        """
        attack = self.attack(seed=int(torch.randint(2**62, ())))
        with in_eval_mode(model):
            attacked = attack(model, inputs, labels)
        return super().loss(model, attacked, labels)


@dataclass(frozen=True)
class PGDTraining(FGSMTraining):
    """PGD from a random start, steps of 2.5·ε/steps (Madry et al., ICLR 2018).

    Attributes:
        steps: of the attack on every batch; 7 on CIFAR-10 in the paper.
    """

    name: ClassVar[str] = "pgd"
    steps: int = 5

    def attack(self, seed: int) -> PGD:
        """The attack on a batch, with random choices of its own."""
        return PGD(self.epsilon, seed, self.steps, draws=self.draws)


@contextmanager
def in_eval_mode(model: nn.Module) -> Iterator[None]:
    """The model in eval mode while inside; then each module in the mode that it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
