import pytest
import torch
from torch.nn import functional

from stochi.attacks.objectives import cross_entropy, dlr, margin, targeted_dlr, targeted_margin
from stochi.errors import InputError

LABELS = torch.tensor([0, 2])
LOGITS = torch.tensor([[[3.0, 1, 0, -2], [0, 5, 4, 1]], [[1.0, 2, 0, -1], [9, 5, 4, 1]]])


def test_cross_entropy_is_the_mean_over_draws() -> None:
    by_draw = [functional.cross_entropy(draw, LABELS, reduction="none") for draw in LOGITS]
    assert torch.allclose(cross_entropy(LOGITS, LABELS), torch.stack(by_draw).mean(0))


def test_margin_and_ratios_by_hand() -> None:
    assert margin(LOGITS, LABELS).tolist() == [(-2 + 1) / 2, (1 + 5) / 2]
    assert targeted_margin(torch.tensor([3, 0]))(LOGITS, LABELS).tolist() == [
        (-5 - 2) / 2,
        (-4 + 5) / 2,
    ]
    assert dlr(LOGITS, LABELS).tolist() == pytest.approx(
        [(-2 / 3 + 1 / 2) / 2, (1 / 4 + 5 / 5) / 2]
    )
    found = targeted_dlr(torch.tensor([1, 0]))(LOGITS, LABELS)
    assert found.tolist() == pytest.approx(
        [(-2 / (3 + 1) + 1 / (2 + 0.5)) / 2, (-4 / (5 - 0.5) + 5 / (9 - 2.5)) / 2]
    )


def test_the_ratio_does_not_depend_on_the_scale() -> None:
    assert torch.allclose(dlr(1000 * LOGITS, LABELS), dlr(LOGITS, LABELS))


def test_equal_logits_like_those_of_spike_counts_stay_finite() -> None:
    logits = torch.zeros(2, 2, 5, requires_grad=True)
    tied = torch.cat([logits, torch.ones(2, 2, 3)], 2)
    value = dlr(tied, LABELS)
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    assert (
        value.isfinite().all() and gradient.isfinite().all() and float(value.detach().max()) <= 100
    )


@pytest.mark.parametrize("classes, objective", [(2, dlr), (3, targeted_dlr(LABELS))])
def test_ratios_need_classes(classes: int, objective) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="DLR losses"):
        objective(torch.rand(1, 2, classes), torch.zeros(2).long())
