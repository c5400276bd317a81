"""Signs that gradients are masked: that attacks fail for want of a way, not of a target.

After Athalye, Carlini and Wagner, ICML 2018, and Carlini et al., 2019, arXiv:1902.06705.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations

import torch
from torch import nn

from stochi.attacks.expectation import expected_gradient
from stochi.errors import InputError
from stochi.sim.statistics import estimate_accuracy, estimate_difference

TOLERATED = 0.05
"""The share of images without a gradient, or right under an unbounded attack, that is let pass."""
CHANCE = 0.02
"""By how much more accuracy a larger budget may leave. Where it gains nothing the two differ by
chance, and a study compares many."""


@dataclass(frozen=True)
class Finding:
    """One sign of masking, with its numbers.

    The 95 % interval ``low`` … ``high`` of ``value`` lies above ``limit``, the most that a model
    with honest gradients shows.
    """

    sign: str
    value: float
    low: float
    high: float
    limit: float

    def as_dict(self) -> dict[str, str | float]:
        """Plain values, for a report."""
        return asdict(self)


def zero_gradients(
    model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, draws: int = 10
) -> torch.Tensor:
    """(batch,) the share of an image's pixels whose expected gradient is exactly 0.

    No step follows such a pixel. They come from neurons that no input reaches, from surrogates so
    steep that float32 makes them 0, and from losses that are 0 where the model is sure of itself.

    Args:
        model, inputs, labels: as for an attack; draws: EOT samples.
    """
    gradient = expected_gradient(model, inputs, labels, draws)
    return (gradient == 0).flatten(1).double().mean(1)


def find_zero_gradients(shares: torch.Tensor) -> list[Finding]:
    """A finding where too many images have no gradient at all.

    Args:
        shares: (images,) of :func:`zero_gradients`, in [0, 1].
    """
    blind = estimate_accuracy((shares == 1)[None])
    if blind.low <= TOLERATED:
        return []
    return [Finding("images without any gradient", blind.value, blind.low, blind.high, TOLERATED)]


def find_masking(
    white_box: torch.Tensor,
    *,
    single_step: torch.Tensor | None = None,
    black_box: torch.Tensor | None = None,
    transferred: torch.Tensor | None = None,
    noise: torch.Tensor | None = None,
    unbounded: torch.Tensor | None = None,
) -> list[Finding]:
    """Signs of masking in what a model gets right under several attacks on the same images.

    An attack that knows less must not do better than the strongest one that follows gradients, at
    the same ε, and one without a bound (ε = 1) must leave next to nothing right. An empty list
    clears nobody: every attack may be weak.

    Args:
        white_box: (trials, images) bool, right answers under the strongest gradient attack; all
            others likewise, on the same images.
        single_step: FGSM. black_box: Square and the like. transferred: gradients of another model.
        noise: uniform in the ε-ball. unbounded: a gradient attack with ε = 1.

    Returns:
        Findings; the value of one that compares attacks is by how much more accuracy the white box
        leaves, on a paired interval.

    Raises:
        InputError: a tensor is not (trials, images) for the same images.
    """
    given = {
        "single_step": single_step,
        "black_box": black_box,
        "transferred": transferred,
        "noise": noise,
    }
    found = []
    for name, right in given.items():
        if right is None:
            continue
        _check(name, right, white_box)
        lost = estimate_difference(right, white_box)
        if lost.low > 0:
            sign = f"{name.replace('_', ' ')} leaves less right than the white box"
            found.append(Finding(sign, lost.value, lost.low, lost.high, 0.0))
    if unbounded is not None:
        _check("unbounded", unbounded, white_box)
        left = estimate_accuracy(unbounded)
        if left.low > TOLERATED:
            sign = "an attack without a bound leaves answers right"
            found.append(Finding(sign, left.value, left.low, left.high, TOLERATED))
    return found


def find_helpful_budgets(name: str, right: Mapping[float, torch.Tensor]) -> list[Finding]:
    """Signs of masking in one attack with several budgets: more of it must not help the defender.

    Args:
        name: of the budget, for the finding: "steps", "draws", "epsilon".
        right: budget → (trials, images) right answers under it, on the same images.

    Returns:
        A finding for each pair of budgets of which the larger leaves more than 2 points more right,
        by the whole of its paired interval.

    Raises:
        InputError: a tensor is not (trials, images) for the same images.
    """
    found = []
    for less, more in combinations(sorted(right), 2):
        _check(f"{name} {more:.3g}", right[more], right[less], f"{name} {less:.3g}")
        gained = estimate_difference(right[less], right[more])
        if gained.low > CHANCE:
            sign = f"{name} {more:.3g} leaves more right than {name} {less:.3g}"
            found.append(Finding(sign, gained.value, gained.low, gained.high, CHANCE))
    return found


def _check(
    name: str, right: torch.Tensor, other: torch.Tensor, other_name: str = "white_box"
) -> None:
    if right.dim() != 2 or other.dim() != 2 or right.shape[1] != other.shape[1]:
        raise InputError(
            f"{name} has shape {tuple(right.shape)} and {other_name} {tuple(other.shape)}; both"
            " must be (trials, images), of the same images"
        )
