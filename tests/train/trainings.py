"""Small trainings, which are run by one process, by two, and with interruptions.

As a program, under torchrun, it runs those that are named and writes what comes out:
``torchrun ... -m tests.train.trainings FOLDER NAME...``
"""

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stochi.data import Images, load_digits
from stochi.train import (
    FreshDraws,
    NetworkConfig,
    TrainingConfig,
    join_processes,
    make_defence,
    make_twin,
    train_classifier,
)

DRAWN = NetworkConfig(time_steps=2, channels=(4, 8))
NORMED = replace(DRAWN, neuron="plain")
PLAIN = replace(NORMED, batch_norm=False)
ADAM = TrainingConfig(seed=3, epochs=3, batch_size=32, learning_rate=1e-2, shift=1)
SGD = replace(ADAM, optimizer="sgd", learning_rate=0.1, weight_decay=1e-3)


@dataclass(frozen=True)
class Training:
    """A training of a few seconds.

    Attributes:
        images: number of images, of which an eighth is held out.
        defence: name and parameters, {} for none.
        twin: whether the network's twin is trained.
    """

    network: NetworkConfig
    config: TrainingConfig
    images: int = 150
    defence: dict[str, Any] = field(default_factory=dict)
    twin: bool = False

    @property
    def samples(self) -> Images:
        return load_digits()[0].first(self.images)

    def build(self) -> nn.Module:
        net = self.network.build()
        with torch.no_grad():
            for name, weight in net.named_parameters():
                weight.mul_(12.0 if not self.network.batch_norm and "conv" in name else 1.0)
        if not self.twin:
            return net
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return FreshDraws(make_twin(net, self.samples.inputs[:1]), self.config.seed)

    def run(self, **more: Any) -> tuple[nn.Module, list[Any]]:
        defence = make_defence(**self.defence) if self.defence else None
        return train_classifier(self.build, self.samples, self.config, defence=defence, **more)


TRAININGS: dict[str, Callable[[], Training]] = {
    "plain": lambda: Training(PLAIN, SGD),
    "normed": lambda: Training(NORMED, ADAM),
    "gradients of gradients": lambda: Training(NORMED, ADAM, defence={"name": "sr"}),
    "parts": lambda: Training(PLAIN, replace(SGD, micro_batch=5)),
    "parts of one": lambda: Training(PLAIN, replace(SGD, micro_batch=1, epochs=1)),
    # The last batch has one sample, fewer than there are processes.
    "a single sample": lambda: Training(PLAIN, replace(SGD, batch_size=131)),
    "twin": lambda: Training(replace(DRAWN, batch_norm=False), replace(ADAM, epochs=2), twin=True),
    "drawn": lambda: Training(DRAWN, ADAM, 250),
    "attacked": lambda: Training(DRAWN, ADAM, 250, {"name": "fgsm", "draws": 1}),
    "drawn once": lambda: Training(replace(DRAWN, sampling="fixed"), ADAM),
    "orthogonal": lambda: Training(DRAWN, ADAM, defence={"name": "rat", "draws": 1}),
    "crafted": lambda: Training(DRAWN, ADAM, defence={"name": "hire"}),
}


def outcome(name: str, **more: Any) -> dict[str, Any]:
    """Run a training and return its weights and history as plain values."""
    model, history = TRAININGS[name]().run(**more)
    return {
        "weights": dict(model.state_dict()),
        "losses": [epoch.loss for epoch in history],
        "accuracies": [epoch.validation_accuracy for epoch in history],
    }


def main() -> None:
    """Run trainings as one of several processes, and write what comes out."""
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    with join_processes() as processes:
        found = {name: outcome(name, processes=processes) for name in names}
        before = torch.get_rng_state()
        with processes.own_draws(0, 1):
            found["draw"] = torch.rand(())  # type: ignore[assignment]
        found["kept"] = torch.equal(before, torch.get_rng_state())  # type: ignore[assignment]
        torch.save(found, folder / f"{processes.rank}.pt")


if __name__ == "__main__":
    main()
