"""Intervals over trainings."""

import math

import pytest
import torch
from scipy import stats

from stochi.statistics import estimate_over_trainings


def test_the_interval_is_students() -> None:
    values = torch.tensor([0.70, 0.75, 0.80], dtype=torch.float64)
    found = estimate_over_trainings(values)
    assert found is not None
    expected = stats.t.interval(0.95, 2, loc=0.75, scale=0.05 / math.sqrt(3))
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.value == pytest.approx(0.75) and found.trial_spread == pytest.approx(0.05)
    assert (found.images, found.trials) == (0, 3)


def test_a_single_training_tells_nothing_of_others() -> None:
    assert estimate_over_trainings(torch.tensor([0.7])) is None


def test_the_interval_ends_where_accuracies_do() -> None:
    found = estimate_over_trainings(torch.tensor([0.1, 1.0]))
    assert found is not None and (found.low, found.high) == (-1.0, 1.0)


def test_it_covers_the_mean_as_often_as_it_says() -> None:
    generator = torch.Generator().manual_seed(0)
    hits = 0
    for values in 0.5 + 0.02 * torch.randn(2000, 3, generator=generator):
        found = estimate_over_trainings(values)
        assert found is not None
        hits += found.low <= 0.5 <= found.high
    assert 0.935 < hits / 2000 < 0.965
