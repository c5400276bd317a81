"""A small trained network that several tests attack."""

from functools import cache

import torch
from torch import nn
from torch.nn import functional

from stochi.attacks.expectation import answers
from stochi.data import Images, load
from stochi.train.defences.catalogue import make_defence
from stochi.train.networks import RepeatSteps, two_layer_net
from stochi.train.training import TrainingConfig, train_classifier

TRIALS = 40


@cache
def trained_net(sampling: str, defended: bool = False) -> RepeatSteps:
    """Train 64-64-10 on the digits; "step" draws τ at every time step, "mean" is not random.

    Args:
        defended: whether it learns from images that PGD attacks, for more epochs.
    """
    training, _ = load("digits")
    with torch.random.fork_rng():
        net, _ = train_classifier(
            lambda: two_layer_net(hidden=(64, 64), sampling=sampling),
            training,
            TrainingConfig(epochs=15 if defended else 8),
            defence=make_defence("pgd", epsilon=0.1) if defended else None,
        )
    assert isinstance(net, RepeatSteps)
    return net.eval()


@cache
def dense_classifier(activation: type[nn.Module]) -> nn.Module:
    """Train a network without spikes on the digits."""
    training, _ = load("digits")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Flatten(),
            nn.Linear(64, 64),
            activation(),
            nn.Linear(64, 64),
            activation(),
            nn.Linear(64, 10),
        )
        optimizer = torch.optim.Adam(net.parameters(), 2e-3)
        for _ in range(150):
            optimizer.zero_grad()
            functional.cross_entropy(net(training.inputs), training.labels).backward()
            optimizer.step()
    return net.eval()


def relu_net() -> nn.Module:
    """Return a trained network of ReLUs."""
    return dense_classifier(nn.ReLU)


def some_images(count: int) -> Images:
    """Return held-out digits."""
    return load("digits")[1].first(count)


def right_answers(model: nn.Module, shown: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return (trials, images) bool, on draws that no attack has seen."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(12345)
        return answers(model, shown, TRIALS).argmax(2) == labels
