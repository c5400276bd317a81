from itertools import combinations, product

import numpy as np
import pytest

from stochi.parity.distribution.spikes import (
    SpikeSums,
    fano_factors,
    firing_rates,
    side_distances,
    trial_distances,
)


def take(spikes: np.ndarray) -> SpikeSums:
    sums = SpikeSums()
    for trial in spikes:
        sums.add(trial)
    return sums


def draw(seed: int, trials: int = 6) -> np.ndarray:
    """(trials, 5 steps, 4 images, 7 neurons), some of which never spike."""
    rng = np.random.default_rng(seed)
    share = rng.random((5, 4, 7)) * (rng.random((4, 7)) < 0.7)
    spikes: np.ndarray = rng.random((trials, 5, 4, 7)) < share
    return spikes


def test_one_neuron_by_hand() -> None:
    # Two steps, one image; spike counts 2, 0, 1 over three trials.
    spikes = np.array([[1, 1], [0, 0], [1, 0]], bool).reshape(3, 2, 1, 1)
    sums = take(spikes)
    assert sums.counts.item() == 3
    assert firing_rates(sums) == pytest.approx([0.5])
    (factor,), (active,) = fano_factors(sums)
    assert (factor, active) == (pytest.approx(1.0), 1)  # mean 1, variance 1
    # Trials 1 and 2 differ at both steps, 1 and 3 at one, 2 and 3 at one: 4 of 6 places.
    assert trial_distances(sums) == pytest.approx([4 / 6])


def test_sums_give_what_all_trials_would() -> None:
    spikes = draw(0)
    sums = take(spikes)
    counts = spikes.sum(1)
    mean, variance = counts.mean(0), counts.var(0, ddof=1)
    factors, active = fano_factors(sums)
    for image in range(4):
        seen = mean[image] > 0
        expected = (variance[image][seen] / mean[image][seen]).sum()
        assert factors[image] == pytest.approx(expected)
        assert active[image] == seen.sum() < 7
    assert firing_rates(sums) == pytest.approx(spikes.mean((0, 1, 3)))


def test_distances_are_those_of_all_pairs() -> None:
    ours, theirs = draw(1), draw(2, trials=4)
    pairs = [(a != b).mean((0, 2)) for a, b in combinations(ours, 2)]
    assert trial_distances(take(ours)) == pytest.approx(np.mean(pairs, 0))
    pairs = [(a != b).mean((0, 2)) for a, b in product(ours, theirs)]
    assert side_distances(take(ours), take(theirs)) == pytest.approx(np.mean(pairs, 0))


def test_poisson_counts_have_a_fano_factor_of_one() -> None:
    spikes = np.random.default_rng(0).random((200, 400, 3, 20)) < 0.005
    factors, active = fano_factors(take(spikes))
    assert factors.sum() / active.sum() == pytest.approx(0.995, abs=0.04)  # binomial: 1 − p


def test_identical_trials_do_not_vary() -> None:
    sums = take(np.repeat(draw(3, trials=1), 5, 0))
    assert not fano_factors(sums)[0].any() and not trial_distances(sums).any()


def test_silent_neurons_have_no_fano_factor() -> None:
    factors, active = fano_factors(take(np.zeros((3, 2, 4, 5), bool)))
    assert not factors.any() and not active.any()


def test_one_trial_does_not_show_variability() -> None:
    for statistic in (fano_factors, trial_distances):
        with pytest.raises(ValueError, match="1 trials"):
            statistic(take(draw(0, trials=1)))
