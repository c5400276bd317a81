"""Regularized adversarial training, which keeps weights near orthogonal matrices."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from stochi.arguments import check_fields
from stochi.errors import InputError
from stochi.export.model.linear import Convolution, Matrix
from stochi.train.defences.adversarial_training import FGSMTraining


@dataclass(frozen=True)
class RegularizedAdversarialTraining(FGSMTraining):
    """RAT (Ding et al., SNN-RAT, NeurIPS 2022): adversarial training and orthogonal retraction.

    An orthogonal weight matrix does not enlarge a perturbation on its way through the network.

    Attributes:
        beta: β in (0, 0.5], the strength of the retraction in each training step.

    Raises:
        InputError: a parameter is out of range.
    """

    name: ClassVar[str] = "rat"
    beta: float = 0.004

    def __post_init__(self) -> None:
        check_fields(self)
        super().__post_init__()
        if not 0 < self.beta <= 0.5:
            raise InputError(f"beta is {self.beta}; it must lie in (0, 0.5]")

    def after_step(self, model: nn.Module) -> None:
        """Retract the weights of all Linear and Conv2d layers, including the readout."""
        for module in model.modules():
            if isinstance(module, nn.Linear | Matrix):
                retract(module.weight, self.beta)
            elif isinstance(module, nn.Conv2d | Convolution):
                retract(module.weight, self.beta, module.groups)


@torch.no_grad()
def retract(weight: torch.Tensor, beta: float, groups: int = 1) -> None:
    """Compute W ← (1 + β)·W − β·W·Wᵀ·W in place (Cissé et al., Parseval networks, ICML 2017).

    A singular value s becomes (1 + β)·s − β·s³, which is nearer to 1 if s is in (0, √(1 + 1/β)).
    Above √(1 + 2/β), 22 for β = 0.004, it grows; no weight of a network that trains is that large.

    Args:
        weight: (out, in), or (out, in / groups, kernel, kernel) taken as (out, in·kernel²). The
            rows of each group are retracted separately, because they read other inputs.
        beta: β in (0, 0.5]; with a larger one s would jump across 1.
        groups: number of groups of a convolution.
    """
    rows = weight.reshape(groups, len(weight) // groups, -1)
    weight.copy_(((1 + beta) * rows - beta * rows @ rows.mT @ rows).view_as(weight))
