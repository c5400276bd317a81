import numpy as np
import pytest
from scipy.stats import binom, ttest_1samp

from stochi.parity.distribution.spikes import SpikeSums, firing_rates
from stochi.statistics.equivalence import (
    ratio,
    relative_difference,
    square_root,
    two_one_sided_tests,
)


def shares_of_5_percent(runs: int) -> tuple[float, float]:
    """Return the 99.9 % interval of the share found in ``runs`` runs if the true share is 5 %."""
    low, high = binom.interval(0.999, runs, 0.05)
    return low / runs, high / runs


@pytest.mark.parametrize("mean", [-0.3, 0.0, 0.1, 0.25, 0.6])
def test_p_values_and_interval_are_scipys(mean: float) -> None:
    values = np.random.default_rng(1).normal(mean, 1, 40)
    found = two_one_sided_tests(values, 0.3)
    above = ttest_1samp(values, -0.3, alternative="greater").pvalue
    below = ttest_1samp(values, 0.3, alternative="less").pvalue
    interval = ttest_1samp(values, 0).confidence_interval(0.9)
    assert found.p_value == pytest.approx(max(above, below))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.difference == pytest.approx(values.mean())


def test_verdicts_follow_the_interval() -> None:
    noise = np.array([-0.01, 0.01] * 20)
    for mean, verdict in ((0, "equivalent"), (0.1, "undecided"), (0.2, "different")):
        for sign in (1, -1):
            found = two_one_sided_tests(sign * (mean + noise), 0.1)
            assert found.verdict == verdict
            assert (found.p_value < 0.05) == (verdict == "equivalent")


def test_at_the_margins_edge_one_in_twenty_passes() -> None:
    rng = np.random.default_rng(0)
    runs = 4000
    passed = sum(
        two_one_sided_tests(rng.normal(0.5, 1, 80), 0.5).verdict == "equivalent"
        for _ in range(runs)
    )
    low, high = shares_of_5_percent(runs)
    assert low < passed / runs < high


def test_rates_at_the_margins_edge_pass_one_time_in_twenty() -> None:
    """Starting from spikes: images differ, trials add noise, and the rate is off by the margin."""
    rng = np.random.default_rng(0)
    runs, passed, margin = 1500, 0, 0.1
    for _ in range(runs):
        share = rng.uniform(0.1, 0.6, (1, 60, 1))
        sides = []
        for factor in (1.0, 1.0 + margin):
            sums = SpikeSums()
            for _ in range(3):
                sums.add(rng.random((2, 60, 30)) < factor * share)
            sides.append(firing_rates(sums))
        passed += two_one_sided_tests(relative_difference(*sides), margin).verdict == "equivalent"
    low, high = shares_of_5_percent(runs)
    assert low < passed / runs < high


def test_more_trials_of_few_images_are_not_more_images() -> None:
    """The interval covers the images' own differences, however many trials there are."""
    rng = np.random.default_rng(0)
    own = rng.normal(0, 0.2, 25)
    widths = []
    for trials in (10, 1000):
        found = two_one_sided_tests(own + rng.normal(0, 0.1 / np.sqrt(trials), 25), 1.0)
        assert found.low is not None and found.high is not None
        widths.append(found.high - found.low)
    assert widths[1] > 0.8 * widths[0]


def test_a_ratio_of_means_has_its_standard_error() -> None:
    rng = np.random.default_rng(0)
    ratios, errors = [], []
    for _ in range(500):
        below = rng.gamma(4, 1, 200)
        values = ratio(below * rng.normal(0.7, 0.1, 200), below)
        ratios.append(values.mean())
        errors.append(values.std(ddof=1) / np.sqrt(200))
    assert np.mean(ratios) == pytest.approx(0.7, abs=0.002)
    assert np.mean(errors) == pytest.approx(np.std(ratios), rel=0.1)


def test_a_square_root_of_a_mean_has_its_standard_error() -> None:
    rng = np.random.default_rng(0)
    samples = rng.gamma(3, 1, (500, 200))
    roots = [square_root(sample) for sample in samples]
    assert roots[0].mean() == pytest.approx(np.sqrt(samples[0].mean()))
    errors = [root.std(ddof=1) / np.sqrt(200) for root in roots]
    assert np.mean(errors) == pytest.approx(np.std([root.mean() for root in roots]), rel=0.1)


def test_zero_against_zero_and_a_rate_against_zero() -> None:
    none, some = np.zeros(10), np.full(10, 0.2)
    assert two_one_sided_tests(relative_difference(none, none), 0.01).verdict == "equivalent"
    found = two_one_sided_tests(relative_difference(none, some), 0.01)
    assert (found.verdict, found.difference, found.p_value) == ("different", None, 1.0)
    assert two_one_sided_tests(relative_difference(some, none), 0.01).difference == -1


def test_answers_that_never_differ_still_have_an_interval() -> None:
    few = two_one_sided_tests(np.zeros(100), 0.005, shares=True)
    assert few.verdict == "undecided" and few.high == pytest.approx(1 - 0.05**0.01)
    many = two_one_sided_tests(np.zeros(1000), 0.005, shares=True)
    assert many.verdict == "equivalent" and many.p_value == pytest.approx(0.995**1000)


def test_one_image_has_no_interval() -> None:
    found = two_one_sided_tests(np.array([0.1]), 0.5)
    assert (found.difference, found.low, found.verdict) == (0.1, None, "undecided")
