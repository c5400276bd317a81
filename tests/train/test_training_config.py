"""Ranges of the numbers that a training is configured with."""

from collections.abc import Callable

import pytest

from stochi.deploy.graph.membrane_noise import MembraneNoise
from stochi.errors import InputError
from stochi.train import FineTuningConfig, NoisyLeaky, RandomTauLeaky, TrainingConfig


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (TrainingConfig, "learning_rate"),
        (TrainingConfig, "weight_decay"),
        (FineTuningConfig, "learning_rate"),
        (FineTuningConfig, "rate_weight"),
        (RandomTauLeaky, "sigma"),
        (lambda noise_std: NoisyLeaky(0.5, noise_std=noise_std), "noise_std"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(make: Callable[..., object], name: str) -> None:
    make(**{name: 1e6})
    for value in (1.1e6, 1e38, 1e300):
        with pytest.raises(InputError, match=f"{name} is .* at most 1,000,000"):
            make(**{name: value})
    for value in (-1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match=f"{name} is "):
            make(**{name: value})


def test_noise_of_a_graph_fits_single_precision() -> None:
    MembraneNoise(1e38)
    with pytest.raises(InputError, match=r"std is 1e\+39; single precision holds 1e\+38 at most"):
        MembraneNoise(1e39)
