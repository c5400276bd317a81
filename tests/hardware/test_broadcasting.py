import numpy as np
import pytest
import torch

from stochi.hardware.broadcasting import over_neurons


@pytest.mark.parametrize("array", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
@pytest.mark.parametrize("shape", [(2, 3, 4), (2,), (1, 3, 1), (5, 1)])
def test_values_are_spread_from_the_channels_on(array, shape: tuple[int, ...]) -> None:  # type: ignore[no-untyped-def]
    by_channel = np.arange(shape[0])
    each = np.arange(np.prod(shape)).reshape(shape)
    for values, expected in (
        (np.array(7), np.full(shape, 7)),
        (np.array([7]), np.full(shape, 7)),
        (by_channel, np.stack([np.full(shape[1:], c) for c in by_channel])),
        (each, each),
    ):
        spread = over_neurons(array(values), shape)
        assert np.array_equal(np.broadcast_to(np.asarray(spread), shape), expected)
