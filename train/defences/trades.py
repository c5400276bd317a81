"""TRADES: right answers to clean images, and the same answers to images nearby."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from stochi.arguments import check_fields
from stochi.attacks.base import random_change
from stochi.attacks.expectation import answers
from stochi.attacks.objectives import Objective, divergence_from
from stochi.attacks.pgd import PGD
from stochi.errors import InputError
from stochi.train.defences.adversarial_training import FGSMTraining
from stochi.train.defences.attacks_in_training import attacked
from stochi.train.defences.shared_draws import draws_again


@dataclass(frozen=True)
class DivergingPGD(PGD):
    """PGD away from the clean image's answer, whatever the label.

    It climbs KL(f(x) ‖ f(x′)), from a start near x. f(x) are the mean probabilities over ``draws``
    runs, since an attacker does not know the draws of the run that will be judged.

    Attributes:
        start: largest change of a pixel at the start, as a share of ε.
    """

    start: float = field(default=0.1, kw_only=True)

    def random_start(self, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Draw a point uniformly from the ball of ``start``·ε around the inputs."""
        change = self.start * self.epsilon * random_change(inputs, generator)
        return self.project(inputs + change, inputs)

    def _objectives(
        self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor
    ) -> Sequence[Objective]:
        with torch.no_grad():
            expected = answers(model, inputs, self.draws).softmax(2).mean(0)
        return [divergence_from(expected)]


@dataclass(frozen=True)
class Trades(FGSMTraining):
    """TRADES (Zhang et al., ICML 2019): cross-entropy of x, plus β·KL(f(x) ‖ f(x′)).

    x′ is found by PGD on the divergence (:class:`DivergingPGD`), with the model in eval mode. The
    loss takes x and x′ in train mode, one after the other, with **the same draws**. Answers of a
    random model differ between draws even at x′ = x; with draws of their own, the divergence would
    mostly measure that, and training would lower the model's randomness in place of its reaction to
    x′. Gradients go through both answers, as in the authors' code.

    Attributes:
        iterations: number of iterations of the attack on every batch; 10 on CIFAR-10 in the paper.
        beta: β ≥ 0, the weight of the divergence; 6 in the paper.
        start: largest change of a pixel at the attack's start, as a share of ε, above 0 and at most
            1. At x itself the divergence has no gradient, nor has it for a spiking network until a
            spike changes. In the paper the start is normal with a deviation of 0.001.

    Raises:
        InputError: a parameter is out of range.
    """

    name: ClassVar[str] = "trades"
    iterations: int = 5
    beta: float = 6.0
    start: float = field(default=0.1, kw_only=True)

    def __post_init__(self) -> None:
        check_fields(self)
        super().__post_init__()
        if not (math.isfinite(self.beta) and self.beta >= 0):
            raise InputError(f"beta is {self.beta}; it must be a number of at least 0")
        if not 0 < self.start <= 1:
            raise InputError(f"start is {self.start}; it must be above 0 and at most 1")

    def attack(self, seed: int) -> DivergingPGD:
        """Return the attack on a batch; ``seed`` is the seed of its random choices."""
        return DivergingPGD(
            self.epsilon,
            seed,
            self.iterations,
            draws=self.draws,
            surrogates=self.surrogate,
            keep="last",
            start=self.start,
        )

    def loss(self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the cross-entropy of the images plus β times the divergence of attacked ones."""
        changed = attacked(self.attack, model, inputs, labels)
        with draws_again(model) as rewind:
            clean = model(inputs)
            rewind()
            moved = model(changed)
        divergence = functional.kl_div(
            moved.log_softmax(1), clean.log_softmax(1), reduction="batchmean", log_target=True
        )
        return functional.cross_entropy(clean, labels) + self.beta * divergence
