"""What an attack climbs, for a model that answers anew each time.

An objective takes logits (draws, batch, classes) and labels (batch,), and gives (batch,) numbers
that are large where the model is wrong.
"""

from collections.abc import Callable

import torch
from torch.nn import functional

from stochi.errors import InputError

Objective = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

TINY = 1e-12


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The mean of the cross-entropy over the draws: the expectation that EOT is about.

    Not the cross-entropy of the mean logits: an image that is right in half of the draws, by far,
    and wrong in the others by as much, would look undecided there.
    """
    draws, batch, classes = logits.shape
    losses = functional.cross_entropy(
        logits.reshape(-1, classes), labels.repeat(draws), reduction="none"
    )
    return losses.view(draws, batch).mean(0)


def margin(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The best wrong class's logit minus the true one's (Carlini and Wagner, S&P 2017), mean over
    the draws. Positive where the answer is wrong."""
    return _margins(logits, labels).mean(0)


def targeted_margin(targets: torch.Tensor) -> Objective:
    """The logit of a class to go to minus the true one's, mean over the draws.

    Args:
        targets: (batch,) classes, each another than its label.
    """

    def objective(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return (_of_class(logits, targets) - _of_class(logits, labels)).mean(0)

    return objective


def dlr(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The difference of logits ratio (Croce and Hein, ICML 2020), mean over the draws.

    ``(max over i ≠ y of z_i − z_y) / (z_1st − z_3rd)``: indifferent to the logits' scale, where the
    cross-entropy's gradient fades. Needs 3 classes.
    """
    ranked = _ranked(logits, 3)
    return (_margins(logits, labels) / _scale(ranked, ranked[..., 2])).mean(0)


def targeted_dlr(targets: torch.Tensor) -> Objective:
    """The DLR that names the class to go to (Croce and Hein, 2020), mean over the draws.

    ``(z_t − z_y) / (z_1st − (z_3rd + z_4th)/2)``. Needs 4 classes.

    Args:
        targets: (batch,) classes, each another than its label.
    """

    def objective(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        ranked = _ranked(logits, 4)
        scale = _scale(ranked, (ranked[..., 2] + ranked[..., 3]) / 2)
        return ((_of_class(logits, targets) - _of_class(logits, labels)) / scale).mean(0)

    return objective


def _of_class(logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """(draws, batch) the logit of each image's class."""
    return logits.gather(2, classes.expand(logits.shape[:2]).unsqueeze(2)).squeeze(2)


def _margins(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    others = logits.masked_fill(functional.one_hot(labels, logits.shape[2]).bool(), -torch.inf)
    return others.amax(2) - _of_class(logits, labels)


def _ranked(logits: torch.Tensor, needed: int) -> torch.Tensor:
    if logits.shape[2] < needed:
        raise InputError(
            f"APGD's DLR losses, AutoAttack's too, need {needed} classes here and the model has"
            f" {logits.shape[2]}; use APGD with loss='ce', FAB or PGD"
        )
    return logits.sort(2, descending=True).values


def _scale(ranked: torch.Tensor, lower: torch.Tensor) -> torch.Tensor:
    """From the best logit to ``lower``. Spike counts are often equal: at least a hundredth of the
    whole range, or the draws with the nearest ties would rule the mean."""
    whole = ranked[..., 0] - ranked[..., -1]
    return torch.maximum(ranked[..., 0] - lower, whole / 100) + TINY
