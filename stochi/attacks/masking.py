"""Signs of masked gradients: the model looks robust because attacks cannot follow its gradients.

After Athalye, Carlini and Wagner, ICML 2018, and Carlini et al., 2019, arXiv:1902.06705.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import nn

from stochi.attacks.expectation import NoGradient, expected_gradient
from stochi.errors import InputError
from stochi.statistics.intervals import estimate_accuracy, estimate_difference

TOLERATED = 0.05
"""Tolerated share of images without a gradient, or right under an unbounded attack."""
CHANCE = 0.02
"""Tolerated gain of accuracy with a larger budget, or loss with another surrogate.

Two attacks that are equally strong differ by chance, and a study compares many.
"""

LESS = "{} leaves less right than the white box"
MASKED = "masked by the surrogate: {} leaves less right than the network's own"


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


def zero_gradients(
    model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, draws: int = 10
) -> torch.Tensor:
    """Return the share of each image's pixels whose expected gradient is exactly 0, (batch,).

    No step changes such a pixel. A gradient that is not a number counts as 0, and so does one that
    is missing. Zeros come from neurons that no input reaches, from surrogates so
    steep that they are 0 in float32, and from losses that are 0 if the model is sure of its answer.

    Args:
        model, inputs, labels: as for an attack.
        draws: number of EOT samples.
    """
    try:
        gradient = expected_gradient(model, inputs, labels, draws)
    except NoGradient:
        return torch.ones(len(labels), dtype=torch.float64)
    return (gradient == 0).flatten(1).double().mean(1)


def find_zero_gradients(shares: torch.Tensor) -> list[Finding]:
    """Return a finding if too many images have no gradient at all.

    Args:
        shares: (images,) in [0, 1], from :func:`zero_gradients`.
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
    surrogates: Mapping[str, torch.Tensor] | None = None,
) -> list[Finding]:
    """Compare a model's right answers under several attacks on the same images.

    An attack that knows less should not be stronger than the strongest one that follows gradients,
    at the same ε, and one without a bound (ε = 1) should leave almost no answer right. An empty
    list does not prove that gradients are not masked: every attack may be weak.

    Args:
        white_box: (trials, images) bool, right answers under the strongest gradient attack; all
            others likewise, on the same images.
        single_step: right answers under FGSM.
        black_box: right answers under Square or another attack by queries.
        transferred: right answers under an attack that followed another model's gradients.
        noise: right answers under uniform noise in the ε-ball.
        unbounded: right answers under a gradient attack with ε = 1.
        surrogates: name of a surrogate → right answers under the white box's attack through it.
            Give the attack through the network's own surrogate as ``white_box`` then, so that only
            the surrogate differs. A network is masked by its surrogate if another one leaves more
            than 2 points less right, with the whole paired interval above that.

    Returns:
        Findings. The value of a comparison of attacks is the accuracy under the white box minus
        that under the other attack, with a paired interval.

    Raises:
        InputError: a tensor is not (trials, images) for the same images.
    """
    given = {
        "single_step": single_step,
        "black_box": black_box,
        "transferred": transferred,
        "noise": noise,
    }
    found = _compare({k: v for k, v in given.items() if v is not None}, white_box, 0.0, LESS)
    found += _compare(surrogates or {}, white_box, CHANCE, MASKED)
    if unbounded is not None:
        _check("unbounded", unbounded, white_box)
        left = estimate_accuracy(unbounded)
        if left.low > TOLERATED:
            sign = "an attack without a bound leaves answers right"
            found.append(Finding(sign, left.value, left.low, left.high, TOLERATED))
    return found


def _compare(
    others: Mapping[str, torch.Tensor], white_box: torch.Tensor, limit: float, sign: str
) -> list[Finding]:
    """Return a finding, named by ``sign``, for each that leaves less right than the white box."""
    found = []
    for name, right in others.items():
        _check(name, right, white_box)
        lost = estimate_difference(right, white_box)
        if lost.low > limit:
            words = sign.format(name.replace("_", " "))
            found.append(Finding(words, lost.value, lost.low, lost.high, limit))
    return found


def find_helpful_budgets(name: str, right: Mapping[float, torch.Tensor]) -> list[Finding]:
    """Compare one attack's budgets: a larger one should not leave more answers right.

    Args:
        name: name of the budget in the findings: "iterations", "draws", "epsilon".
        right: budget → (trials, images) right answers under it, on the same images.

    Returns:
        A finding for each pair of budgets if the larger one leaves more than 2 percentage points
        more right, with the whole paired interval above that.

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
