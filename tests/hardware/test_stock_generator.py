"""The stock noise generator: its values, their distribution and their independence."""

import numpy as np
import pytest
import torch
from scipy import stats

from stochi.hardware.draws import LayerDraws
from stochi.hardware.noise import (
    UNIFORM_MAX,
    draw_generator,
    generator_value,
    largest_generator_value,
)


def draw(samples, neurons, exponent=7, **changed):  # type: ignore[no-untyped-def]
    draws = LayerDraws(seed=1, trial=2, layer=3, step=4)._replace(**changed)
    return draw_generator(samples, neurons, draws, mantissa=0, exponent=exponent)


def every_code(mantissa: int, exponent: int) -> np.ndarray:
    high, low = np.divmod(np.arange(2**16), 2**8)
    return generator_value(high, low, mantissa, exponent)


def test_all_codes_of_two_bytes_are_spread_over_255_values() -> None:
    values, counts = np.unique(every_code(0, 7), return_counts=True)
    assert values.tolist() == list(range(-UNIFORM_MAX, UNIFORM_MAX + 1))
    assert sorted(counts)[:-1] == [257] * 254 and counts.max() == 258


@pytest.mark.parametrize("mantissa", [-8, 0, 1, 7])
@pytest.mark.parametrize("exponent", [0, 3, 5, 6, 7, 8, 12, 16])
def test_the_formula_in_real_numbers(mantissa: int, exponent: int) -> None:
    """An exponent below 7 acts like the next larger one, and values are truncated toward zero."""
    acting = exponent + 1 if exponent < 7 else exponent
    exact = (every_code(0, 7) + 64 * mantissa) * 2.0 ** (acting - 7)
    values = every_code(mantissa, exponent)
    assert np.array_equal(values, np.trunc(exact))
    assert np.abs(values).max() <= largest_generator_value(mantissa, exponent)


def test_exponents_6_and_7_are_the_same() -> None:
    assert np.array_equal(every_code(1, 6), every_code(1, 7))


def test_numpy_and_torch_draw_the_same_in_any_batch() -> None:
    whole = draw(np.arange(7), np.arange(100), exponent=12)
    assert np.array_equal(whole, draw(torch.arange(7), torch.arange(100), exponent=12).numpy())
    assert np.array_equal(whole[3:], draw(np.arange(3, 7), np.arange(100), exponent=12))


def test_the_values_are_uniform() -> None:
    """Moments, and a chi-square test against 255 equally likely values."""
    drawn = np.stack([draw(np.arange(64), np.arange(512), step=s) for s in range(16)])
    variance = (255**2 - 1) / 12
    assert abs(drawn.mean()) < 4 * np.sqrt(variance / drawn.size)
    assert abs(drawn.var() / variance - 1) < 4 * np.sqrt(0.8 / drawn.size)
    counts = np.bincount(drawn.ravel() + UNIFORM_MAX, minlength=255)
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
