"""Small samples of events, and networks that tell them apart."""

from functools import cache

import snntorch as snn
import torch
from torch import nn
from torch.nn import functional

from stochi.data import Streams
from stochi.train import RandomTauLeaky
from stochi.train.networks import RepeatSteps

STEPS, SIDE = 4, 8


class TwoSides(nn.Module):
    """A model that answers with the number of events on the left and on the right."""

    def forward(self, events: torch.Tensor) -> torch.Tensor:
        middle = events.shape[-1] // 2
        sides = events[..., :middle], events[..., middle:]
        return torch.stack([side.sum((0, 2, 3, 4)) for side in sides], 1)


def toy_samples(count: int, seed: int) -> Streams:
    """Draw samples of three classes, each with pixels of its own that fire more often or less."""
    fixed = torch.Generator().manual_seed(0)
    templates = torch.randint(2, (3, 2, SIDE, SIDE), generator=fixed)
    labels = torch.arange(count) % 3
    rates = 0.1 + 0.12 * templates[labels]
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(STEPS, count, 2, SIDE, SIDE, generator=generator)
    return Streams((drawn < rates).float(), labels)


@cache
def toy_net(random: bool = False, seed: int = 0) -> RepeatSteps:
    """Train a network with one hidden layer on the toy's samples."""
    samples = toy_samples(200, seed=100 + seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        neuron = (
            RandomTauLeaky(init_hidden=True)
            if random
            else snn.Leaky(beta=0.5, threshold=1.0, reset_mechanism="zero", init_hidden=True)
        )
        layers = (nn.Flatten(), nn.Linear(2 * SIDE * SIDE, 32), neuron, nn.Linear(32, 3))
        net = RepeatSteps(nn.Sequential(*layers), STEPS, events=True)
        optimizer = torch.optim.Adam(net.parameters(), 1e-2)
        for _ in range(60):
            optimizer.zero_grad()
            functional.cross_entropy(net(samples.inputs), samples.labels).backward()
            optimizer.step()
    return net.eval()
