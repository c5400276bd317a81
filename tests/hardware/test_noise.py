import numpy as np
import pytest
import torch

from stochi.errors import InputError
from stochi.hardware.draws import LayerDraws
from stochi.hardware.noise import philox4x32, random_bytes

# Known answers of Philox4x32-10 from Random123 (Salmon et al. 2011), file kat_vectors.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (0xFFFFFFFF,) * 4,
        (0xFFFFFFFF,) * 2,
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
@pytest.mark.parametrize("array", [np.array, torch.tensor])
def test_philox_gives_the_published_answers(counter, key, expected, array) -> None:  # type: ignore[no-untyped-def]
    words = philox4x32(tuple(array([word]) for word in counter), key)
    assert tuple(int(word[0]) for word in words) == expected


def draw(samples, neurons, stream=0, **changed):  # type: ignore[no-untyped-def]
    draws = LayerDraws(seed=1, trial=2, layer=3, step=4)._replace(**changed)
    return random_bytes(samples, neurons, draws, stream)


def test_numpy_and_torch_draw_the_same_in_any_batch() -> None:
    whole = draw(np.arange(7), np.arange(100))
    assert np.array_equal(whole, draw(torch.arange(7), torch.arange(100)).numpy())
    shard = draw(np.arange(3, 7), np.arange(100))
    assert np.array_equal(whole[3:], shard)
    # Fewer neurons give a prefix: a draw does not depend on the layer's size.
    assert np.array_equal(whole[:, :33], draw(np.arange(7), np.arange(33)))


@pytest.mark.parametrize("name", ["seed", "trial", "layer", "step", "stream"])
def test_every_coordinate_changes_the_draw(name: str) -> None:
    assert not np.array_equal(
        draw(np.arange(2), np.arange(64)), draw(np.arange(2), np.arange(64), **{name: 9})
    )


def test_bytes_are_uniform_and_neighbours_independent() -> None:
    drawn = np.stack([draw(np.arange(64), np.arange(256), step=s) for s in range(16)])
    counts = np.bincount(drawn.ravel(), minlength=256)
    chi_square = ((counts - drawn.size / 256) ** 2 / (drawn.size / 256)).sum()
    assert 165 < chi_square < 360  # 255 degrees of freedom: within about 4.5 σ
    centred = drawn - drawn.mean()
    for axis in range(3):
        pair = np.roll(centred, 1, axis) * centred
        correlation = pair.mean() / centred.var()
        assert abs(correlation) < 5 / np.sqrt(drawn.size)


@pytest.mark.parametrize("bad", [{"seed": -1}, {"seed": 2**32}, {"layer": 2**16}, {"trial": 0.5}])
def test_coordinates_out_of_range_raise(bad: dict) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        draw(np.arange(1), np.arange(1), **bad)


@pytest.mark.cuda
def test_cuda_draws_the_same() -> None:
    ours = draw(torch.arange(3).cuda(), torch.arange(100).cuda())
    assert np.array_equal(ours.cpu().numpy(), draw(np.arange(3), np.arange(100)))
