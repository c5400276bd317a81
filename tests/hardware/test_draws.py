"""The coordinates of draws: their checks, and the same bits for equal coordinates."""

import numpy as np
import pytest
import torch

from stochi.errors import InputError
from stochi.hardware.decays import draw_decays
from stochi.hardware.draws import RANDOM_SOURCES, Draws, LayerDraws, check_coordinates
from stochi.hardware.noise import DECAY_STREAM, random_bytes, registers_at


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"seed": -1}, "seed is -1; it must be a whole number from 0 to 4294967295"),
        ({"seed": 2**32}, "seed is 4294967296"),
        ({"seed": 0.5}, "seed is 0.5"),
        ({"trial": True}, "trial is True"),
        ({"trial": "1"}, "trial is 1"),
        ({"source": "dice"}, "random_source is 'dice'; choose from philox, lfsr"),
    ],
)
def test_bad_draws_raise(bad: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Draws(**bad)


@pytest.mark.parametrize("name", ["layer", "stream"])
def test_layers_and_streams_have_16_bits(name: str) -> None:
    check_coordinates(**{name: 2**16 - 1})
    with pytest.raises(InputError, match=f"{name} is 65536; .* from 0 to 65535"):
        check_coordinates(**{name: 2**16})


def test_draws_name_the_layer_and_the_step() -> None:
    draws = Draws(seed=2**32 - 1, trial=7, first_sample=5, source="lfsr")
    assert draws.at(3, 4) == LayerDraws(2**32 - 1, 7, 3, 4, "lfsr")
    assert Draws().at(0, 0) == LayerDraws(0, 0, 0, 0) == LayerDraws(0, 0, 0, 0, "philox")


def test_samples_count_from_the_first() -> None:
    samples = Draws(first_sample=5).samples(3)
    assert samples.dtype == torch.int64 and samples.tolist() == [5, 6, 7]
    assert Draws().samples(0).tolist() == []


@pytest.mark.parametrize("source", RANDOM_SOURCES)
def test_equal_draws_give_equal_bits_in_numpy_and_torch(source: str) -> None:
    draws, same = Draws(1, 2, 5, source), Draws(seed=1, trial=2, first_sample=5, source=source)
    samples, neurons = draws.samples(4), torch.arange(50)
    drawn = random_bytes(samples, neurons, draws.at(3, 4), DECAY_STREAM)
    again = random_bytes(np.arange(5, 9), np.arange(50), same.at(3, 4), DECAY_STREAM)
    assert isinstance(drawn, torch.Tensor) and isinstance(again, np.ndarray)
    assert np.array_equal(drawn.numpy(), again)


@pytest.mark.parametrize("source", RANDOM_SOURCES)
def test_a_shard_draws_what_the_whole_batch_draws(source: str) -> None:
    neurons = torch.arange(50)
    whole, shard = (
        random_bytes(draws.samples(batch), neurons, draws.at(0, 1))
        for draws, batch in (
            (Draws(first_sample=2, source=source), 6),
            (Draws(first_sample=5, source=source), 3),
        )
    )
    assert torch.equal(whole[3:], shard)


def test_registers_move_on_with_the_steps() -> None:
    """Each neuron reads 8 bits in a time step, so registers differ by 8 bits per neuron."""
    draws = Draws(seed=1, source="lfsr")
    samples = np.arange(3)
    later = registers_at(samples, 10, draws.at(0, 2), DECAY_STREAM)
    assert np.array_equal(later, registers_at(samples, 20, draws.at(0, 1), DECAY_STREAM))
    first = random_bytes(samples, np.arange(20), draws.at(0, 0))
    assert np.array_equal(first[:, 10:], random_bytes(samples, np.arange(10), draws.at(0, 1)))


@pytest.mark.parametrize("source", RANDOM_SOURCES)
def test_decays_are_redrawn_at_every_step_or_last(source: str) -> None:
    table, samples, neurons = np.arange(16) * 256, np.arange(4), np.arange(50)
    draws = Draws(seed=1, source=source)
    start, redrawn, lasting = (
        draw_decays(table, samples, neurons, draws.at(0, step), redraw)
        for step, redraw in ((0, True), (3, True), (3, False))
    )
    assert np.array_equal(lasting, start)
    assert not np.array_equal(redrawn, start)
