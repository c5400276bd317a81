"""The shift register: its bits, its period, its draws, and how the draws depend on each other."""

import numpy as np
import pytest
import torch
from scipy import stats

from stochi.errors import InputError
from stochi.hardware.draws import LayerDraws
from stochi.hardware.lfsr import WIDTH, advance, jump, next_bytes, power_of_x
from stochi.hardware.noise import (
    UNIFORM_MAX,
    draw_generator,
    first_register,
    philox4x32,
    random_bytes,
)

PERIOD = 2**32 - 1
PERIOD_FACTORS = (3, 5, 17, 257, 65537)


def one_bit_at_a_time(register: int, bits: int) -> np.ndarray:
    """Apply the recurrence's definition to a list of bits."""
    sequence = [register >> place & 1 for place in range(WIDTH)]
    for n in range(bits - WIDTH):
        sequence.append(sequence[n + 22] ^ sequence[n + 2] ^ sequence[n + 1] ^ sequence[n])
    return np.array(sequence[:bits])


def bits_of(drawn: np.ndarray) -> np.ndarray:
    """Return the bits of (n,) bytes, (8·n,), in the order of the register."""
    return np.unpackbits(drawn.astype(np.uint8), bitorder="little").astype(np.int64)


def layer_draws(**changed):  # type: ignore[no-untyped-def]
    return LayerDraws(seed=1, trial=2, layer=3, step=4, source="lfsr")._replace(**changed)


def draw(samples, neurons, stream=0, **changed):  # type: ignore[no-untyped-def]
    return random_bytes(samples, neurons, layer_draws(**changed), stream)


def test_the_bytes_are_those_of_a_register_that_moves_bit_by_bit() -> None:
    """The bits run through all neurons of all time steps in turn, from a word of Philox."""
    samples = np.arange(3) + 2**32 - 3
    seen = np.concatenate([draw(samples, np.arange(37), step=step) for step in range(5)], 1)
    counter = (samples * 0 + 2**32 - 1, samples * 0, samples, samples * 0 + (3 << 16))
    for drawn, start in zip(seen, philox4x32(counter, (1, 2))[0], strict=True):
        assert np.array_equal(bits_of(drawn), one_bit_at_a_time(int(start), 5 * 37 * 8))


@pytest.mark.parametrize("count", [1, 31, 32, 33, 42, 43, 64, 1000, 70_001])
def test_any_number_of_bytes_is_a_prefix(count: int) -> None:
    register = np.array([0x12345678])
    longest = np.packbits(one_bit_at_a_time(0x12345678, 8 * 70_001), bitorder="little")
    assert np.array_equal(next_bytes(register, count)[0], longest[:count])


@pytest.mark.parametrize("bits", [0, 1, 7, 8, 31, 32, 33, 1000, 12_345])
def test_a_jump_equals_its_number_of_steps(bits: int) -> None:
    stepped = start = np.array([1, 2**32 - 1, 0x9E3779B9])
    for _ in range(bits):
        stepped = advance(stepped, 1)
    assert np.array_equal(jump(start, bits), stepped)
    assert np.array_equal(jump(torch.from_numpy(start), bits).numpy(), stepped)
    assert np.array_equal(jump(jump(start, 2**31), 2**31 - 1 + bits), stepped)


@pytest.mark.parametrize("bits", range(1, 11))
def test_several_bits_at_once_equal_a_jump(bits: int) -> None:
    register = np.array([1, 2**32 - 1, 0x9E3779B9])
    assert np.array_equal(advance(register, bits), jump(register, bits))


def test_the_polynomial_is_primitive() -> None:
    """The order of x is 2³² − 1, so all registers except 0 lie on one cycle.

    The order of x⁸ is the same, because 8 and 2³² − 1 have no common factor.
    """
    assert np.prod(PERIOD_FACTORS) == PERIOD
    assert power_of_x(PERIOD) == 1
    for factor in PERIOD_FACTORS:
        assert power_of_x(PERIOD // factor) != 1
        assert power_of_x(8 * (PERIOD // factor)) != 1


def test_no_register_starts_at_zero() -> None:
    """Philox gives this sample the word 0 (found by search), which would stay 0."""
    sample = np.array([1_081_638_104])
    start = (sample * 0 + 2**32 - 1, sample * 0, sample, sample * 0)
    assert philox4x32(start, (2, 0))[0][0] == 0
    assert first_register((2, 0), sample, 0, 0)[0] == 1


def test_numpy_and_torch_draw_the_same_in_any_batch() -> None:
    whole = draw(np.arange(7), np.arange(100))
    assert np.array_equal(whole, draw(torch.arange(7), torch.arange(100)).numpy())
    assert np.array_equal(whole[3:], draw(np.arange(3, 7), np.arange(100)))
    left, right = (
        draw_generator(one.arange(7), one.arange(100), layer_draws(), mantissa=-1, exponent=9)
        for one in (np, torch)
    )
    assert np.array_equal(left, right.numpy())


@pytest.mark.cuda
def test_cuda_draws_the_same() -> None:
    ours = draw(torch.arange(3).cuda(), torch.arange(100).cuda())
    assert np.array_equal(ours.cpu().numpy(), draw(np.arange(3), np.arange(100)))


@pytest.mark.parametrize("name", ["seed", "trial", "layer", "step", "stream", "source"])
def test_every_coordinate_changes_the_draw(name: str) -> None:
    other = "philox" if name == "source" else 9
    assert not np.array_equal(
        draw(np.arange(2), np.arange(64)), draw(np.arange(2), np.arange(64), **{name: other})
    )


@pytest.mark.parametrize("bad", [{"seed": -1}, {"trial": 2**32}, {"step": 0.5}, {"source": "dice"}])
def test_bad_coordinates_raise(bad: dict) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        draw(np.arange(1), np.arange(1), **bad)


def test_bytes_are_uniform() -> None:
    """A chi-square test, mean and variance."""
    drawn = np.stack([draw(np.arange(64), np.arange(256), step=step) for step in range(16)])
    assert stats.chisquare(np.bincount(drawn.ravel(), minlength=256)).pvalue > 1e-4
    variance = (256**2 - 1) / 12
    assert abs(drawn.mean() - 127.5) < 4 * np.sqrt(variance / drawn.size)
    assert abs(drawn.var() / variance - 1) < 4 * np.sqrt(0.8 / drawn.size)


def test_the_stock_generators_values_are_uniform() -> None:
    """Moments, and a chi-square test against 256 equally likely values."""
    drawn = np.stack(
        [
            draw_generator(np.arange(64), np.arange(512), layer_draws(step=step), 0, 7)
            for step in range(16)
        ]
    )
    variance = (256**2 - 1) / 12
    assert abs(drawn.mean() + 0.5) < 4 * np.sqrt(variance / drawn.size)
    assert abs(drawn.var() / variance - 1) < 4 * np.sqrt(0.8 / drawn.size)
    counts = np.bincount(drawn.ravel() + UNIFORM_MAX + 1, minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-4


def test_pairs_of_draws_are_uncorrelated() -> None:
    """Across samples, neurons, steps, layers, trials, seeds and streams; squares too."""
    first = draw(np.arange(64), np.arange(256)) - 127.5
    changed = {"step": 5, "layer": 4, "trial": 3, "seed": 2, "stream": 1}
    others = {
        "sample": np.roll(first, 1, 0),
        "neuron": np.roll(first, 1, 1),
        **{
            name: draw(np.arange(64), np.arange(256), **{name: value}) - 127.5
            for name, value in changed.items()
        },
    }
    for name, other in others.items():
        for power in (1, 2):
            pair = np.corrcoef(first.ravel() ** power, other.ravel() ** power)
            assert abs(pair[0, 1]) < 4 / np.sqrt(first.size), name


def test_five_bits_sum_to_zero_everywhere() -> None:
    """The register has this correlation, Philox does not: bits n, n+1, n+2, n+22 and n+32."""
    sums = {}
    for source in ("lfsr", "philox"):
        bits = bits_of(draw(np.arange(1), np.arange(10_000), source=source)[0])
        shifted = [bits[tap : len(bits) - WIDTH + tap] for tap in (0, 1, 2, 22, 32)]
        sums[source] = np.bitwise_xor.reduce(shifted)
    assert not sums["lfsr"].any()
    assert abs(sums["philox"].mean() - 0.5) < 4 * 0.5 / np.sqrt(len(sums["philox"]))


@pytest.mark.parametrize("apart", [1, 2, 4, 64])
def test_the_bytes_of_five_neurons_sum_to_zero(apart: int) -> None:
    """At the same distances in neurons, also into the next time steps, and at 2^k times these."""
    drawn = np.concatenate(
        [draw(np.arange(3), np.arange(1000), step=step) for step in range(4)], axis=1
    )
    last = drawn.shape[1] - WIDTH * apart
    shifted = [drawn[:, tap * apart :][:, :last] for tap in (0, 1, 2, 22, 32)]
    assert not np.bitwise_xor.reduce(shifted).any()


def test_four_bytes_determine_all_that_follow() -> None:
    drawn = draw(np.arange(5), np.arange(500))
    register = sum(drawn[:, place] << 8 * place for place in range(4))
    assert np.array_equal(next_bytes(register, 500), drawn)


def test_registers_that_overlap_draw_the_same_elsewhere() -> None:
    """5 bytes apart: the same bytes, 5 neurons on. One bit apart: half correlated."""
    start = first_register((1, 2), np.arange(200), 3, 0)
    drawn = next_bytes(start, 500)
    assert np.array_equal(next_bytes(jump(start, 8 * 5), 495), drawn[:, 5:])
    one_bit_on = next_bytes(jump(start, 1), 500)
    assert np.corrcoef(drawn.ravel(), one_bit_on.ravel())[0, 1] == pytest.approx(0.5, abs=0.02)


def test_the_bytes_of_a_sum_of_registers_are_the_sum_of_theirs() -> None:
    one, two = first_register((1, 2), np.arange(2), 3, 0)[:, None]
    assert np.array_equal(next_bytes(one ^ two, 500), next_bytes(one, 500) ^ next_bytes(two, 500))
