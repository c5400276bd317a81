"""Options of training, and the optimizer and schedule that they ask for."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR

from stochi.arguments import check_fields
from stochi.errors import (
    InputError,
    check_at_least_one,
    check_not_negative,
    check_not_too_large,
)

OPTIMIZERS = ("adam", "sgd")
SGD_AS_PUBLISHED: dict[str, Any] = {"learning_rate": 0.1, "weight_decay": 1e-4}
"""Options of SGD in RandHet-SNN's published training; its momentum is the default."""
_LATER = ("optimizer", "momentum", "weight_decay", "micro_batch")
"""Options that came after the first checkpoints and studies."""


@dataclass(frozen=True)
class TrainingConfig:
    """Options of training, recorded in the checkpoint.

    Attributes:
        seed: seed of the initial weights, the order of the samples and the neurons' draws, at
            least 0.
        epochs: largest number of epochs, at least 1.
        batch_size: number of samples per training step, at least 1.
        learning_rate: the optimizer's learning rate at the start, from 0 to 1,000,000.
        patience: number of epochs without a higher validation accuracy after which training stops,
            at least 1.
        validation_share: n, if one sample in n of the training set is held out for validation.
        shift: largest number of pixels, at least 0, by which a training sample is moved at random,
            anew in every epoch; 0 leaves all where they are.
        optimizer: "adam", or "sgd", stochastic gradient descent with momentum. Both have the
            learning rate fall to 0 along half a cosine, once per epoch.
        momentum: of SGD, in [0, 1); Adam does not have it.
        weight_decay: share of the weights, from 0 to 1,000,000, that is added to their gradients.
        micro_batch: largest number of samples, at least 1, whose gradients are computed at once;
            those of a batch add up before the step. Memory falls with it. None: the whole batch.
            Batch norms then use the statistics of each part.

    Raises:
        InputError: a value is out of range.
    """

    seed: int = 0
    epochs: int = 25
    batch_size: int = 64
    learning_rate: float = 3e-3
    patience: int = 8
    validation_share: int = 8
    shift: int = 0
    optimizer: str = "adam"
    momentum: float = 0.9
    weight_decay: float = 0.0
    micro_batch: int | None = None

    @staticmethod
    def for_events(seed: int = 0, epochs: int = 25, patience: int = 8) -> "TrainingConfig":
        """Return options that suit a few hundred recordings of events (docs/events.md)."""
        return TrainingConfig(
            seed, epochs, batch_size=32, learning_rate=5e-3, patience=patience, shift=1
        )

    def __post_init__(self) -> None:
        check_fields(self)
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}; it must be a whole number of at least 0")
        if self.shift < 0:
            raise InputError(f"shift is {self.shift}; it counts pixels and must be at least 0")
        check_at_least_one(
            epochs=self.epochs,
            batch_size=self.batch_size,
            patience=self.patience,
            validation_share=self.validation_share,
        )
        if self.micro_batch is not None:
            check_at_least_one(micro_batch=self.micro_batch)
        rates = {"learning_rate": self.learning_rate, "weight_decay": self.weight_decay}
        check_not_negative(**rates)
        check_not_too_large(**rates)
        if self.optimizer not in OPTIMIZERS:
            raise InputError(
                f"optimizer is {self.optimizer!r}; choose from {', '.join(OPTIMIZERS)}"
            )
        if not 0 <= self.momentum < 1:
            raise InputError(f"momentum is {self.momentum}; it must be from 0 to below 1")

    def to_json(self) -> dict[str, Any]:
        """Return plain values by their names, as checkpoints and keys of studies hold them.

        Options that came later are left out while they have their defaults, so that the same
        training keeps its name in a study and the bytes of its checkpoint.
        """
        first = {field.name: field.default for field in fields(self) if field.name in _LATER}
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in first or value != first[name]
        }

    def make_optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """Return the optimizer of these parameters."""
        if self.optimizer == "adam":
            return torch.optim.Adam(parameters, self.learning_rate, weight_decay=self.weight_decay)
        return torch.optim.SGD(
            parameters, self.learning_rate, self.momentum, weight_decay=self.weight_decay
        )

    def make_schedule(self, optimizer: Optimizer) -> CosineAnnealingLR:
        """Return the schedule of the learning rate, which takes a step after every epoch."""
        return CosineAnnealingLR(optimizer, self.epochs)
