"""Training that keeps membranes away from their thresholds."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from stochi.arguments import check_fields
from stochi.errors import InputError
from stochi.train.defences.adversarial_training import FGSMTraining
from stochi.train.defences.attacks_in_training import attacked
from stochi.train.defences.membrane_distances import watched_membranes


@dataclass(frozen=True)
class ThresholdGuarding(FGSMTraining):
    """TGO (Wang et al., ICLR 2026): penalize membranes near the threshold.

    A small perturbation changes the spikes only of neurons near their threshold, and a surrogate
    has most of its slope there. The other part of TGO is :class:`stochi.train.NoisyLeaky`, of which
    a network is built.

    That the loss constrains membranes is known from the paper's abstract; the form is ours. The
    loss is the cross-entropy plus ``coefficient`` times the mean of max(0, 1 − |u − θ|/(margin·θ))
    over all neurons and time steps, with u before the reset: 1 at the threshold, 0 from a distance
    of ``margin``·θ on. Every layer counts the same.

    Attributes:
        epsilon: ε of adversarial training by ``fgsm`` in addition; with 0, the default, the images
            are those of the batch.
        draws, surrogate: as for ``fgsm``; of no effect if ε is 0.
        coefficient: weight of the penalty, at least 0.
        margin: distance from the threshold, in units of the threshold, above 0.

    Raises:
        InputError: a parameter is out of range.
    """

    name: ClassVar[str] = "tgo"
    epsilon: float = 0.0
    coefficient: float = 0.5
    margin: float = 0.5

    def __post_init__(self) -> None:
        check_fields(self)
        super().__post_init__()
        if not (math.isfinite(self.coefficient) and self.coefficient >= 0):
            raise InputError(
                f"coefficient is {self.coefficient}; it must be a number of at least 0"
            )
        if not 0 < self.margin < math.inf:
            raise InputError(f"margin is {self.margin}; it must be a number above 0")

    def check_model(self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> None:
        """Raise InputError if the model cannot be attacked, and ε is above 0."""
        if self.epsilon:
            super().check_model(model, inputs, labels)

    def loss(self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the cross-entropy plus the penalty, from one pass over the images.

        Raises:
            InputError: the model has no spiking neuron, or no gradient reaches one.
        """
        if self.epsilon:
            inputs = attacked(self.attack, model, inputs, labels)
        with watched_membranes(model) as distances:
            logits = model(inputs)
        found = functional.cross_entropy(logits, labels)
        if not distances:
            raise InputError(
                f"no gradient reaches a membrane of the {type(model).__name__}, so none can be kept"
                " from its threshold; let weights before neurons learn, or take another defence"
            )
        near = torch.stack([closeness(each, self.margin) for each in distances])
        return found + self.coefficient * near.mean()


def closeness(distance: torch.Tensor, margin: float) -> torch.Tensor:
    """Return the mean of max(0, 1 − |distance|/margin), a scalar."""
    return (1 - distance.abs() / margin).clamp(min=0).mean()
