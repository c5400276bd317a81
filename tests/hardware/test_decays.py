import math

import numpy as np
import pytest

from stochi.errors import InputError
from stochi.hardware.decays import logit_normal_table, look_up, quantize_decay


def test_table_has_the_distribution_s_quantiles_and_moments() -> None:
    table = logit_normal_table(1.0, 8) / 4096
    assert len(table) == 256
    assert (np.diff(table) >= 0).all()
    assert table.mean() == pytest.approx(0.5, abs=1e-6)
    sample = 1 / (1 + np.exp(-np.random.default_rng(0).standard_normal(400_000)))
    assert table.var() == pytest.approx(sample.var(), rel=0.01)
    assert np.abs(np.quantile(sample, (np.arange(256) + 0.5) / 256) - table).max() < 0.01


def test_no_spread_is_one_level() -> None:
    assert logit_normal_table(0.0, 3).tolist() == [2048] * 8


@pytest.mark.parametrize(("sigma", "bits"), [(-1, 8), (math.nan, 8), (1, 0), (1, 9)])
def test_out_of_range_is_refused(sigma: float, bits: int) -> None:
    with pytest.raises(InputError):
        logit_normal_table(sigma, bits)


@pytest.mark.parametrize("bits", range(1, 9))
def test_bytes_choose_every_level_equally_often(bits: int) -> None:
    chosen = look_up(np.arange(2**bits), np.arange(256))
    assert np.bincount(chosen).tolist() == [256 >> bits] * 2**bits


def test_decays_are_rounded_to_12_bits() -> None:
    assert quantize_decay(np.array([0.0, 0.50001, 1.0])).tolist() == [0, 2048, 4096]
