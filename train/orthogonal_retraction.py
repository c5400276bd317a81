"""Regularized adversarial training: weights near orthogonal matrices."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from stochi.errors import InputError
from stochi.train.adversarial_training import FGSMTraining


@dataclass(frozen=True)
class RegularizedAdversarialTraining(FGSMTraining):
    """RAT (Ding et al., SNN-RAT, NeurIPS 2022): adversarial training and orthogonal retraction.

    An orthogonal weight matrix does not enlarge a perturbation on its way through the network.

    Attributes:
        beta: β in (0, 0.5], how far a training step retracts.

    Raises:
        InputError: a parameter is out of range.
    """

    name: ClassVar[str] = "rat"
    beta: float = 0.004

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.beta <= 0.5:
            raise InputError(f"beta is {self.beta}; it must lie in (0, 0.5]")

    def after_step(self, model: nn.Module) -> None:
        """Retract all Linear and Conv2d weights, the readout's too."""
        for module in model.modules():
            if isinstance(module, nn.Linear):
                retract(module.weight, self.beta)
            elif isinstance(module, nn.Conv2d):
                retract(module.weight, self.beta, module.groups)


@torch.no_grad()
def retract(weight: torch.Tensor, beta: float, groups: int = 1) -> None:
    """W ← (1 + β)·W − β·W·Wᵀ·W, in place (Cissé et al., Parseval networks, ICML 2017).

    It takes a singular value s to (1 + β)·s − β·s³, and so nearer to 1 from (0, √(1 + 1/β)).
    Beyond √(1 + 2/β), 22 for β = 0.004, it grows: no weight of a network that trains is there.

    Args:
        weight: (out, in), or (out, in / groups, kernel, kernel) taken as (out, in·kernel²), each
            group's rows by themselves, since they read other inputs.
        beta: β in (0, 0.5]; above, s would jump across 1.
    """
    rows = weight.reshape(groups, len(weight) // groups, -1)
    weight.copy_(((1 + beta) * rows - beta * rows @ rows.mT @ rows).view_as(weight))
