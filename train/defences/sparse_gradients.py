"""Training for sparse gradients with respect to the input."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from stochi.arguments import check_fields
from stochi.errors import InputError
from stochi.train.defences.defence import Defence


@dataclass(frozen=True)
class SparseGradients(Defence):
    """SR (Liu et al., ICML 2024): penalize the L1 norm of the input gradient.

    The loss is the cross-entropy plus ``coefficient`` times the batch's mean of ‖∇ₓf‖₁². f is the
    probability of the true class in a softmax over the true class and the best wrong one. The
    authors estimate the norm as (f(x + h·sign ∇ₓf) − f(x))/h. With a random model that divides the
    difference of two draws by a small h. Here ∇ₓf is itself differentiated instead (double
    backpropagation), which snnTorch's surrogates allow. In a twin the surrogate's slope counts as a
    constant in the second derivative.

    Attributes:
        coefficient: weight of the penalty, λ ≥ 0 in the paper.

    Raises:
        InputError: the coefficient is out of range.
    """

    name: ClassVar[str] = "sr"
    takes_streams: ClassVar[bool] = False
    coefficient: float = 0.05

    def __post_init__(self) -> None:
        check_fields(self)
        if not (math.isfinite(self.coefficient) and self.coefficient >= 0):
            raise InputError(
                f"coefficient is {self.coefficient}; it must be a number of at least 0"
            )

    def loss(self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the cross-entropy plus the penalty, from one pass over the unchanged images."""
        shown = inputs.detach().requires_grad_(True)
        logits = model(shown)
        (gradient,) = torch.autograd.grad(
            true_against_best_wrong(logits, labels).sum(), shown, create_graph=True
        )
        norm = gradient.abs().flatten(1).sum(1)
        return functional.cross_entropy(logits, labels) + self.coefficient * norm.square().mean()


def true_against_best_wrong(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the true class's probability in a softmax with the best wrong class, (batch,)."""
    of_true = functional.one_hot(labels, logits.shape[1]).bool()
    wrong = logits.masked_fill(of_true, -torch.inf).amax(1)
    return torch.sigmoid(logits[of_true] - wrong)
