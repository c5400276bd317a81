from itertools import combinations, product

import numpy as np
import pytest

from stochi.parity.distribution.answers import agreement_across, agreement_within, trial_variances


def test_agreement_is_that_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.integers(3, size=(5, 8)), rng.integers(3, size=(4, 8))
    pairs = [a == b for a, b in combinations(ours, 2)]
    assert agreement_within(ours, 3) == pytest.approx(np.mean(pairs, 0))
    pairs = [a == b for a, b in product(ours, theirs)]
    assert agreement_across(ours, theirs, 3) == pytest.approx(np.mean(pairs, 0))


def test_variances_over_trials_by_hand() -> None:
    logits = np.array([[[0.0, 1.0]], [[2.0, 1.0]]])  # 2 trials, 1 image, 2 classes
    assert trial_variances(logits) == pytest.approx([1.0])  # 2 and 0
