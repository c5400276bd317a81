import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from stochi.parity.distribution.membranes import BINS, Grid, MembraneHistogram, wasserstein_of_sides
from stochi.statistics.equivalence import two_one_sided_tests


def histogram(values: np.ndarray, grid: Grid, unit: float = 1.0) -> MembraneHistogram:
    """Histograms of (trials, time steps, images, neurons)."""
    found = MembraneHistogram(grid, values.shape[2])
    for trial, membranes in enumerate(values):
        found.add(membranes, unit, trial)
    return found


def test_the_distance_is_scipys_up_to_a_bin() -> None:
    rng = np.random.default_rng(0)
    ours = rng.normal(0, 1, (2, 3, 20, 30))
    theirs = rng.gamma(2, 0.7, (2, 3, 20, 30)) - 1.2
    grid = Grid.around(ours)
    within, across = wasserstein_of_sides(histogram(ours, grid), histogram(theirs, grid))
    pairs = [(ours[0], theirs[1]), (theirs[0], ours[1])]
    exact = np.mean([wasserstein_distance(a.ravel(), b.ravel()) for a, b in pairs]) / grid.spread
    assert across.mean() == pytest.approx(exact, abs=0.3 * grid.width)
    noise = [wasserstein_distance(*(half.ravel() for half in side)) for side in (ours, theirs)]
    assert within.mean() == pytest.approx(np.mean(noise) / grid.spread, abs=0.3 * grid.width)


def test_a_shift_is_measured_in_standard_deviations_whatever_the_units() -> None:
    values = np.random.default_rng(0).normal(0, 5, (1, 4, 30, 40)).repeat(2, 0)
    grid = Grid.around(values)
    ours = histogram(values, grid)
    integers = np.rint(6400 * (values + 0.5)).astype(np.int32)
    within, across = wasserstein_of_sides(ours, histogram(integers, grid, unit=6400))
    assert not within.any()
    assert across.mean() == pytest.approx(0.1, rel=0.01)


def test_zero_is_in_the_middle_of_a_bin_and_far_values_at_the_ends() -> None:
    grid = Grid.around(np.linspace(-0.3, 1.7, 100))
    edges = (0 - grid.low) / grid.width
    assert edges - np.floor(edges) == pytest.approx(0.5)
    far = histogram(np.array([-1e9, 0, 1e9]).reshape(1, 3, 1, 1), grid)
    assert far.counts[0, 0, 0] == far.counts[0, 0, BINS - 1] == 1 and far.counts.sum() == 3


def test_values_that_are_all_alike_have_a_grid_too() -> None:
    values = np.zeros((2, 2, 3, 4))
    grid = Grid.around(values)
    for distances in wasserstein_of_sides(histogram(values, grid), histogram(values, grid)):
        assert not distances.any()


def test_equal_distributions_are_not_apart_on_average() -> None:
    """Distances of samples are positive; those across exceed those within by 0 on average."""
    rng = np.random.default_rng(0)
    covered, excess = 0, []
    for _ in range(200):
        images = rng.normal(0, 1, (30, 1))
        ours, theirs = (images + rng.normal(0, 1, (4, 2, 30, 5)) for _ in range(2))
        grid = Grid.around(ours)
        within, across = wasserstein_of_sides(histogram(ours, grid), histogram(theirs, grid))
        test = two_one_sided_tests(across - within, 1.0)
        assert within.mean() > 0.02
        assert test.low is not None and test.high is not None
        covered += test.low <= 0 <= test.high
        excess.append(across.mean() - within.mean())
    assert abs(np.mean(excess)) < 4 * np.std(excess) / np.sqrt(200)
    assert covered / 200 > 0.85


def test_float32_membranes_are_binned_as_float32_whatever_the_numpy() -> None:
    # On the borders of bins, where the type decides.
    values = (np.arange(BINS) * 0.1 - 25.5).astype(np.float32)
    grid = Grid.around(values)
    assert type(grid.low) is type(grid.width) is float
    grid = Grid(low=-25.5, width=0.1, spread=1.0)
    low, width, unit = (np.array([n], np.float32) for n in (grid.low, grid.width, 3.0))
    expected = np.clip((values / unit - low) / width, 0, BINS - 1).astype(np.int64)
    found = MembraneHistogram(grid, 1)
    found.add(values[None, None], 3.0, trial=0)
    assert np.array_equal(found.counts[0, 0], np.bincount(expected, minlength=BINS))
