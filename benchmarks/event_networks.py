"""Test accuracy of the networks for events, by network, neuron and data set.

    .venv/bin/python -m benchmarks.event_networks
    .venv/bin/python -m benchmarks.event_networks --data nmnist --data-dir FOLDER

They are trained as ``stochi train`` trains them, from one seed. Random networks answer ten times.
The intervals, 95 %, are over the test recordings, not over trainings.
"""

import argparse
import time
from collections.abc import Iterator

import torch

from stochi.commands.console import Output
from stochi.data import Streams, load
from stochi.data.catalogue import find_data_set
from stochi.statistics import Estimate, estimate_accuracy
from stochi.train import NetworkConfig, TrainingConfig, train_classifier
from stochi.train.training import are_right

NEURONS = (("plain", "step"), ("random", "step"), ("random", "forward"), ("cuba", "step"))
TRIALS = 10


def measure(
    network: NetworkConfig, training: Streams, test: Streams, seed: int
) -> tuple[Estimate, float]:
    """Train a network; return its test accuracy and the seconds of CPU time of the training."""
    began = time.process_time()
    model, _ = train_classifier(network.build, training, TrainingConfig.for_events(seed))
    took = time.process_time() - began
    trials = TRIALS if network.neuron == "random" else 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        right = torch.stack([are_right(model, test) for _ in range(trials)])
    return estimate_accuracy(right), took


def rows(data: str, data_dir: str | None, seed: int) -> Iterator[list[str]]:
    """Yield a row for every network."""
    known, (training, test) = find_data_set(data), load(data, data_dir)
    assert isinstance(training, Streams) and isinstance(test, Streams)
    yield ["network", "neurons", f"accuracy on {len(test)}", f"{len(training)} trained, CPU s"]
    for kind in ("event-conv", "event-mlp"):
        for neuron, sampling in NEURONS:
            network = NetworkConfig(
                input_shape=known.shape,
                classes=known.classes,
                time_steps=len(training.inputs),
                kind=kind,
                neuron=neuron,
                sampling=sampling,
            )
            found, took = measure(network, training, test, seed)
            accuracy = f"{found.value:.1%} [{found.low:.1%}, {found.high:.1%}]"
            yield [kind, network.neurons.title, accuracy, f"{took:.0f}"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="saccades")
    parser.add_argument("--data-dir")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    Output(as_json=False).table(list(rows(asked.data, asked.data_dir, asked.seed)), asked.data)
