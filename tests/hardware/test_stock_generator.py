"""The stock noise generator: its values, their distribution and their independence."""

import numpy as np
import pytest
import torch
from scipy import stats

from benchmarks.noise_generator import PUBLISHED_SPREADS, membranes_of_noise
from stochi.hardware.draws import LayerDraws
from stochi.hardware.noise import (
    UNIFORM_MAX,
    draw_generator,
    generator_mean,
    generator_range,
    generator_value,
    largest_generator_value,
)


def draw(samples, neurons, exponent=7, **changed):  # type: ignore[no-untyped-def]
    draws = LayerDraws(seed=1, trial=2, layer=3, step=4)._replace(**changed)
    return draw_generator(samples, neurons, draws, mantissa=0, exponent=exponent)


def every_code(mantissa: int, exponent: int) -> np.ndarray:
    high, low = np.divmod(np.arange(2**16), 2**8)
    return generator_value(high, low, mantissa, exponent)


@pytest.mark.parametrize(("exponent", "spread"), list(enumerate(PUBLISHED_SPREADS)))
def test_the_published_table_of_spreads(exponent: int, spread: int) -> None:
    assert np.ptp(every_code(0, exponent)) == spread


@pytest.mark.parametrize("backend", ["engine", "lava"])
@pytest.mark.parametrize(("exponent", "spread"), list(enumerate(PUBLISHED_SPREADS)))
def test_every_backend_has_the_published_spreads(backend: str, exponent: int, spread: int) -> None:
    if backend == "lava":
        pytest.importorskip("lava")
    membrane = membranes_of_noise(exponent, backend=backend)
    assert np.ptp(membrane) == spread


@pytest.mark.parametrize("exponent", [0, 3, 5, 6])
def test_all_codes_of_two_bytes_are_spread_over_255_values(exponent: int) -> None:
    values, counts = np.unique(every_code(0, 6), return_counts=True)
    assert values.tolist() == list(range(-UNIFORM_MAX, UNIFORM_MAX + 1))
    assert sorted(counts)[:-1] == [257] * 254 and counts.max() == 258
    assert np.array_equal(every_code(0, exponent), every_code(0, 6) >> (6 - exponent))


@pytest.mark.parametrize("exponent", [7, 8, 16])
def test_from_exponent_7_on_there_is_a_256th_value(exponent: int) -> None:
    values, counts = np.unique(every_code(0, exponent) >> exponent - 7, return_counts=True)
    assert values.tolist() == list(range(-UNIFORM_MAX - 1, UNIFORM_MAX + 1))
    assert (counts == 256).all()


@pytest.mark.parametrize("mantissa", [-8, 0, 1, 7])
@pytest.mark.parametrize("exponent", [0, 3, 5, 6, 7, 8, 12, 16])
def test_the_formula_in_real_numbers(mantissa: int, exponent: int) -> None:
    """An exponent below 7 acts like the next larger one, and values are rounded down."""
    codes = np.arange(2**16)
    r = codes * 255 // 2**16 - 127 if exponent < 7 else codes // 2**8 - 128
    acting = exponent + 1 if exponent < 7 else exponent
    exact = (r + 64 * mantissa) * 2.0 ** (acting - 7)
    values = every_code(mantissa, exponent)
    assert np.array_equal(values, np.floor(exact))
    assert generator_range(mantissa, exponent) == (values.min(), values.max())
    assert largest_generator_value(mantissa, exponent) == np.abs(values).max()
    assert generator_mean(mantissa, exponent) == pytest.approx(values.mean(), rel=1e-12)


def test_the_mean_is_a_quarter_to_half_a_unit_below_zero() -> None:
    """Of exponents that round, and of the 256 values; the 255 values are symmetric."""
    means = [generator_mean(0, exponent) for exponent in range(8)]
    expected = [-63 / 128, -31 / 64, -15 / 32, -7 / 16, -3 / 8, -1 / 4, 0, -1 / 2]
    assert means == pytest.approx(expected, abs=0.005)
    assert generator_mean(0, 12) == -16


def test_numpy_and_torch_draw_the_same_in_any_batch() -> None:
    whole = draw(np.arange(7), np.arange(100), exponent=12)
    assert np.array_equal(whole, draw(torch.arange(7), torch.arange(100), exponent=12).numpy())
    assert np.array_equal(whole[3:], draw(np.arange(3, 7), np.arange(100), exponent=12))


def test_the_values_are_uniform() -> None:
    """Moments, and a chi-square test against 256 equally likely values."""
    drawn = np.stack([draw(np.arange(64), np.arange(512), step=s) for s in range(16)])
    variance = (256**2 - 1) / 12
    assert abs(drawn.mean() + 0.5) < 4 * np.sqrt(variance / drawn.size)
    assert abs(drawn.var() / variance - 1) < 4 * np.sqrt(0.8 / drawn.size)
    counts = np.bincount(drawn.ravel() + UNIFORM_MAX + 1, minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-4


def test_draws_are_independent_of_their_neighbours() -> None:
    """Across samples, neurons, steps, layers, trials and seeds."""
    first = draw(np.arange(64), np.arange(256)).astype(float)
    others = {
        "sample": np.roll(first, 1, 0),
        "neuron": np.roll(first, 1, 1),
        "step": draw(np.arange(64), np.arange(256), step=5),
        "layer": draw(np.arange(64), np.arange(256), layer=4),
        "trial": draw(np.arange(64), np.arange(256), trial=3),
        "seed": draw(np.arange(64), np.arange(256), seed=2),
    }
    for name, other in others.items():
        correlation = np.corrcoef(first.ravel(), other.ravel())[0, 1]
        assert abs(correlation) < 4 / np.sqrt(first.size), name
        # Squares too: amplitudes can be correlated even if signs are not.
        squares = np.corrcoef(first.ravel() ** 2, np.asarray(other, float).ravel() ** 2)[0, 1]
        assert abs(squares) < 4 / np.sqrt(first.size), name
