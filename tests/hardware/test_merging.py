import numpy as np
import pytest

from stochi.hardware.merging import merge_values


def test_merging_keeps_what_fits_and_moves_the_rest_little() -> None:
    few = np.array([[5, 5], [9, 1]])
    assert merge_values(few, 3) is few
    many = np.random.default_rng(0).permutation(1000).reshape(10, 100)
    merged = merge_values(many, 10)
    assert len(np.unique(merged)) == 10 and merged.shape == many.shape
    assert np.abs(merged - many).max() <= 60
    assert merged.mean() == pytest.approx(many.mean(), abs=0.5)
    assert np.array_equal(merged, merge_values(many, 10))
    order = np.argsort(many, axis=None)
    assert (np.diff(merged.ravel()[order]) >= 0).all()


def test_merged_values_stay_between_those_that_they_replace() -> None:
    """A threshold therefore never becomes 0, however uneven the values are."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        values = np.ceil(np.exp(rng.uniform(0, 11, 60))).astype(np.int64)
        merged = merge_values(values, 16)
        assert len(np.unique(merged)) <= 16
        for level in np.unique(merged):
            replaced = values[merged == level]
            assert replaced.min() <= level <= replaced.max()
