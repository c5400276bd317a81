"""What ``stochi demo`` trains and how it attacks, by the kind of its data."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stochi.commands.data import read_parts
from stochi.errors import InputError

if TYPE_CHECKING:
    from stochi.attacks import Attack
    from stochi.data.catalogue import DataSet
    from stochi.data.samples import Samples
    from stochi.train import NetworkConfig, TrainingConfig

DEMO_DATA = ("digits", "saccades", "nmnist")
ITERATIONS, DRAWS = 20, 5
"""Budget of the attack on images; by default it has 100 iterations and 10 draws."""
CHANGES = 100
"""Number of events that attacks may insert or delete in a sample."""
EVENT_ITERATIONS, EVENT_DRAWS, PRUNES = 30, 5, 10
"""Budget of the attack on events; by default it has 100 iterations and 10 draws."""
EVENT_EPOCHS = 15
MOST_TRAINING, MOST_TEST = 1_500, 400
"""Samples of a set that the demo uses, so that it takes minutes; all of digits and saccades."""


@dataclass(frozen=True)
class DemoPlan:
    """A demo.

    Attributes:
        data: the data set.
        network, training: the network, and how it is trained.
        attacks: the attacks.
        exact_images, attack_images: samples compared value for value, and attacked.
        training_samples: what the training samples are called.
    """

    data: "DataSet"
    network: "NetworkConfig"
    training: "TrainingConfig"
    attacks: "tuple[Attack, ...]"
    exact_images: int
    attack_images: int
    training_samples: str

    def read(self, data_dir: Path | None) -> "tuple[Samples, Samples]":
        """Read the training part and the test part into memory, or the front of a large set."""
        from stochi.data.batches import in_memory

        training, test = read_parts(self.data, data_dir, self.network.time_steps)
        return in_memory(training.up_to(MOST_TRAINING)), in_memory(test.up_to(MOST_TEST))


def plan_demo(data: str, seed: int, epsilon: float) -> DemoPlan:
    """Return the demo of a data set.

    Args:
        epsilon: ε of the attack on images.

    Raises:
        InputError: there is no demo of this data set, or ε is out of range.
    """
    from stochi.data.catalogue import find_data_set

    if data not in DEMO_DATA:
        raise InputError(f"--data is {data!r}; the demo runs on {', '.join(DEMO_DATA)}")
    chosen = find_data_set(data)
    return _plan_events(chosen, seed) if chosen.events else _plan_images(chosen, seed, epsilon)


def _plan_images(data: "DataSet", seed: int, epsilon: float) -> DemoPlan:
    from stochi.attacks import AutoAttack, UniformNoise
    from stochi.hardware.fixed_point import GRADED_INPUT_MAX
    from stochi.train import NetworkConfig, TrainingConfig

    strong = AutoAttack(
        epsilon, version="snn", iterations=ITERATIONS, draws=DRAWS, grid=GRADED_INPUT_MAX
    )
    return DemoPlan(
        data,
        NetworkConfig(),
        TrainingConfig(seed=seed),
        (UniformNoise(epsilon, grid=GRADED_INPUT_MAX), strong),
        exact_images=64,
        attack_images=128,
        training_samples="digits",
    )


def _plan_events(data: "DataSet", seed: int) -> DemoPlan:
    from stochi.attacks import RandomEvents, SparseGradient
    from stochi.train import NetworkConfig, TrainingConfig

    strong = SparseGradient(
        CHANGES, draws=EVENT_DRAWS, iterations=EVENT_ITERATIONS, probes=0, prunes=PRUNES
    )
    network = NetworkConfig(
        input_shape=data.shape,
        classes=data.classes,
        time_steps=data.time_steps or 1,
        kind="event-conv",
    )
    return DemoPlan(
        data,
        network,
        TrainingConfig.for_events(seed=seed, epochs=EVENT_EPOCHS),
        (RandomEvents(CHANGES, draws=EVENT_DRAWS), strong),
        exact_images=32,
        attack_images=32,
        training_samples=f"recordings of {data.name}",
    )
