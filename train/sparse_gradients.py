"""Training for sparse gradients by the input."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from stochi.errors import InputError
from stochi.train.defence import Defence


@dataclass(frozen=True)
class SparseGradients(Defence):
    """SR (Liu et al., ICML 2024): penalize the L1 norm of the input gradient.

    The loss is the cross-entropy plus ``coefficient`` times the batch's mean of ‖∇ₓf‖₁², f the
    probability of the true class beside the best wrong one. The authors estimate the norm as
    (f(x + h·sign ∇ₓf) − f(x))/h. For a random model that is the difference of two draws over a
    small h, so here ∇ₓf is itself differentiated (double backpropagation), which snnTorch's
    surrogates allow. A hardware-aware neuron keeps its surrogate's slope fixed in that.

    Attributes:
        coefficient: λ ≥ 0.

    Raises:
        InputError: the coefficient is out of range.
    """

    name: ClassVar[str] = "sr"
    coefficient: float = 0.05

    def __post_init__(self) -> None:
        if not (math.isfinite(self.coefficient) and self.coefficient >= 0):
            raise InputError(
                f"coefficient is {self.coefficient}; it must be a number of at least 0"
            )

    def loss(self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Cross-entropy and penalty, of one pass over the images as they are."""
        shown = inputs.detach().requires_grad_(True)
        logits = model(shown)
        (gradient,) = torch.autograd.grad(
            true_against_best_wrong(logits, labels).sum(), shown, create_graph=True
        )
        norm = gradient.abs().flatten(1).sum(1)
        return functional.cross_entropy(logits, labels) + self.coefficient * norm.square().mean()


def true_against_best_wrong(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """(batch,) the true class's softmax probability, beside the best wrong class alone."""
    of_true = functional.one_hot(labels, logits.shape[1]).bool()
    wrong = logits.masked_fill(of_true, -torch.inf).amax(1)
    return torch.sigmoid(logits[of_true] - wrong)
