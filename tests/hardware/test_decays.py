import math

import numpy as np
import pytest
import torch

from stochi.errors import InputError
from stochi.hardware.decays import decay_table, look_up, quantize_decay, table_error
from stochi.hardware.distributions import (
    DISTRIBUTIONS,
    DecayDistribution,
    Empirical,
    LogitNormal,
    NormalTau,
    Uniform,
    make_distribution,
)


def test_table_has_the_distributions_quantiles_and_moments() -> None:
    table = decay_table(LogitNormal(1.0), 8) / 4096
    assert len(table) == 256
    assert (np.diff(table) >= 0).all()
    assert table.mean() == pytest.approx(0.5, abs=1e-6)
    sample = 1 / (1 + np.exp(-np.random.default_rng(0).standard_normal(400_000)))
    assert table.var() == pytest.approx(sample.var(), rel=0.01)
    assert np.abs(np.quantile(sample, (np.arange(256) + 0.5) / 256) - table).max() < 0.01


def test_no_spread_is_one_level() -> None:
    assert decay_table(LogitNormal(0.0), 3).tolist() == [2048] * 8


@pytest.mark.parametrize(("sigma", "bits"), [(-1, 8), (math.nan, 8), (1, 0), (1, 9)])
def test_values_out_of_range_raise(sigma: float, bits: int) -> None:
    with pytest.raises(InputError):
        decay_table(LogitNormal(sigma), bits)


@pytest.mark.parametrize("bits", range(1, 9))
def test_bytes_choose_every_level_equally_often(bits: int) -> None:
    chosen = look_up(np.arange(2**bits), np.arange(256))
    assert np.bincount(chosen).tolist() == [256 >> bits] * 2**bits


def test_decays_are_rounded_to_12_bits() -> None:
    assert quantize_decay(np.array([0.0, 0.50001, 1.0])).tolist() == [0, 2048, 4096]


DISTRIBUTION_EXAMPLES = [
    LogitNormal(1.5),
    Uniform(0.2, 0.9),
    NormalTau(3.0, 1.0),
    Empirical((0.9, 0.1, 0.5, 0.5)),
]


@pytest.mark.parametrize("distribution", DISTRIBUTION_EXAMPLES, ids=lambda one: one.name)
def test_draws_follow_their_quantiles(distribution: DecayDistribution) -> None:
    """Kolmogorov's distance of 20,000 draws is below its critical value at 0.1 %."""
    drawn = distribution.draw(torch.empty(20_000), torch.Generator().manual_seed(0)).double()
    assert float(drawn.min()) >= 0 and float(drawn.max()) <= 1
    assert float(drawn.mean()) == pytest.approx(distribution.mean, abs=4 * float(drawn.std()) / 141)
    for share in np.linspace(0.05, 0.95, 19):
        level = distribution.quantile(float(share))
        below, up_to = (
            float((drawn < level - 1e-6).double().mean()),
            float((drawn <= level + 1e-6).double().mean()),
        )
        assert below - 0.0138 <= share <= up_to + 0.0138
    assert make_distribution(distribution.name, distribution.parameters) == distribution
    assert set(DISTRIBUTIONS) == {one.name for one in DISTRIBUTION_EXAMPLES}


@pytest.mark.parametrize("distribution", DISTRIBUTION_EXAMPLES, ids=lambda one: one.name)
def test_a_tables_error_falls_with_its_bits(distribution: DecayDistribution) -> None:
    errors = [table_error(decay_table(distribution, bits), distribution) for bits in (2, 8)]
    assert errors[1].largest <= errors[0].largest
    assert abs(errors[1].mean) < 2e-3 and abs(errors[1].spread) < 2e-3
    exact = np.array([distribution.quantile((i + 0.5) / 256) for i in range(256)])
    assert np.abs(decay_table(distribution, 8) / 4096 - exact).max() <= 0.5 / 4096


@pytest.mark.parametrize(
    "make",
    [
        lambda: Uniform(0.5, 1.2),
        lambda: Uniform(0.9, 0.1),
        lambda: NormalTau(0.5, 1.0),
        lambda: NormalTau(math.nan, 1.0),
        lambda: Empirical(()),
        lambda: Empirical((0.5, 2.0)),
        lambda: make_distribution("cauchy", (1.0,)),
        lambda: make_distribution("uniform", (1.0,)),
    ],
)
def test_impossible_distributions_raise(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError):
        make()
