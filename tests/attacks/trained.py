"""A small trained network that several tests attack."""

from functools import cache

import torch
from torch import nn

from stochi.attacks.expectation import answers
from stochi.data import Images, load
from stochi.train.networks import RepeatSteps, two_layer_net
from stochi.train.training import TrainingConfig, train_classifier

TRIALS = 40


@cache
def trained_net(sampling: str) -> RepeatSteps:
    """Train 64-64-10 on the digits; "step" draws τ at every time step, "mean" is not random."""
    training, _ = load("digits")
    with torch.random.fork_rng():
        net, _ = train_classifier(
            lambda: two_layer_net(hidden=(64, 64), sampling=sampling),
            training,
            TrainingConfig(epochs=8),
        )
    assert isinstance(net, RepeatSteps)
    return net.eval()


def some_images(count: int) -> Images:
    """Return held-out digits."""
    return load("digits")[1].first(count)


def right_answers(model: nn.Module, shown: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return (trials, images) bool, on draws that no attack has seen."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(12345)
        return answers(model, shown, TRIALS).argmax(2) == labels
