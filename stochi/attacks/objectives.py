"""The objectives that attacks climb, averaged over a random model's draws.

An objective takes logits (draws, batch, classes) and labels (batch,), and returns (batch,) numbers
that are large if the model is wrong.
"""

from collections.abc import Callable, Mapping

import torch
from torch.nn import functional

from stochi.errors import InputError

Objective = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

TINY = 1e-12


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy over the draws, the expectation that EOT estimates.

    This is not the cross-entropy of the mean logits. To that one, an image that is clearly right in
    half of the draws and as clearly wrong in the others would look undecided.
    """
    draws, batch, classes = logits.shape
    losses = functional.cross_entropy(
        logits.reshape(-1, classes), labels.repeat(draws), reduction="none"
    )
    return losses.view(draws, batch).mean(0)


def margin(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the best wrong class's logit minus the true one's, mean over the draws.

    It is positive if the answer is wrong (Carlini and Wagner, S&P 2017).
    """
    return _margins(logits, labels).mean(0)


def targeted_margin(targets: torch.Tensor) -> Objective:
    """Make the objective "target's logit minus the true one's", mean over the draws.

    Args:
        targets: (batch,) target classes, each different from its label.
    """

    def objective(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return (_of_class(logits, targets) - _of_class(logits, labels)).mean(0)

    return objective


def dlr(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the difference of logits ratio (Croce and Hein, ICML 2020), mean over the draws.

    ``(max over i ≠ y of z_i − z_y) / (z_1st − z_3rd)``. It does not depend on the logits' scale,
    with which the cross-entropy's gradient fades. It needs 3 classes.
    """
    ranked = _ranked(logits, 3)
    return (_margins(logits, labels) / _scale(ranked, ranked[..., 2])).mean(0)


def targeted_dlr(targets: torch.Tensor) -> Objective:
    """Make the targeted DLR objective (Croce and Hein, ICML 2020), mean over the draws.

    ``(z_t − z_y) / (z_1st − (z_3rd + z_4th)/2)``. It needs 4 classes.

    Args:
        targets: (batch,) target classes, each different from its label.
    """

    def objective(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        ranked = _ranked(logits, 4)
        scale = _scale(ranked, (ranked[..., 2] + ranked[..., 3]) / 2)
        return ((_of_class(logits, targets) - _of_class(logits, labels)) / scale).mean(0)

    return objective


def targeted_cross_entropy(targets: torch.Tensor) -> Objective:
    """Make the objective "minus the target's cross-entropy", mean over the draws.

    Args:
        targets: (batch,) target classes.
    """

    def objective(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return -cross_entropy(logits, targets)

    return objective


def divergence_from(expected: torch.Tensor) -> Objective:
    """Make the objective "divergence of the answer from an expected one", mean over the draws.

    KL(p ‖ f(x)) with p the expected probabilities, of which labels are no part (Zhang et al.,
    ICML 2019).

    Args:
        expected: (batch, classes) probabilities p.
    """

    def objective(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        target = expected.expand(logits.shape)
        each = functional.kl_div(logits.log_softmax(2), target, reduction="none")
        return each.sum(2).mean(0)

    return objective


UNTARGETED: Mapping[str, Objective] = {"ce": cross_entropy, "margin": margin, "dlr": dlr}
"""The objectives of attacks without a target, by the name of the loss."""
TARGETED: Mapping[str, Callable[[torch.Tensor], Objective]] = {
    "targeted-ce": targeted_cross_entropy,
    "targeted-margin": targeted_margin,
    "targeted-dlr": targeted_dlr,
}
"""Makers of the objectives towards target classes, by the name of the loss."""
LOSSES = (*UNTARGETED, *TARGETED)


def _of_class(logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Return the logit of each image's class, (draws, batch)."""
    return logits.gather(2, classes.expand(logits.shape[:2]).unsqueeze(2)).squeeze(2)


def _margins(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    others = logits.masked_fill(functional.one_hot(labels, logits.shape[2]).bool(), -torch.inf)
    return others.amax(2) - _of_class(logits, labels)


def _ranked(logits: torch.Tensor, needed: int) -> torch.Tensor:
    if logits.shape[2] < needed:
        raise InputError(
            f"the DLR losses of APGD and AutoAttack need {needed} classes here, and the model has"
            f" {logits.shape[2]}; use APGD with loss='ce', FAB or PGD"
        )
    return logits.sort(2, descending=True).values


def _scale(ranked: torch.Tensor, lower: torch.Tensor) -> torch.Tensor:
    """Return the distance from the best logit to ``lower``, at least 1/100 of the whole range.

    Spike counts are often equal. Without the floor, draws with near ties would dominate the mean.
    """
    whole = ranked[..., 0] - ranked[..., -1]
    return torch.maximum(ranked[..., 0] - lower, whole / 100) + TINY
