"""The networks that are timed, with random weights."""

from collections import OrderedDict
from itertools import pairwise

import torch
from torch import nn

from stochi.deploy import Program, lower
from stochi.export import to_nir
from stochi.train import RandomTauLeaky, RepeatSteps

STEPS = 8
SHAPES = {"MLP": (1, 28, 28), "conv": (3, 32, 32)}


def build(name: str, noise: str) -> Program:
    """Lower a network: "MLP" 784-512-256-10, or "conv" 32×32×3 → 32 → 64/2 → 64/2 → 10."""
    torch.manual_seed(0)
    layers = _mlp() if name == "MLP" else _conv()
    net = RepeatSteps(nn.Sequential(layers), STEPS).eval()
    return lower(to_nir(net, torch.rand(1, *SHAPES[name])), noise=noise)


def neuron() -> RandomTauLeaky:
    """A random-τ neuron that keeps its membrane."""
    return RandomTauLeaky(threshold=0.2, init_hidden=True)


def dense(sizes: list[int], time_steps: int, events: bool = False) -> Program:
    """Lower linear layers of these sizes with spiking neurons after each, the last one read."""
    torch.manual_seed(0)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for place, (inputs, outputs) in enumerate(pairwise(sizes)):
        layers[f"fc{place}"] = nn.Linear(inputs, outputs)
        layers[f"lif{place}"] = neuron()
    net = RepeatSteps(nn.Sequential(layers), time_steps).eval()
    return lower(to_nir(net, torch.rand(1, sizes[0])), events=events)


def _mlp() -> OrderedDict[str, nn.Module]:
    return OrderedDict(
        flatten=nn.Flatten(),
        fc1=nn.Linear(784, 512),
        lif1=neuron(),
        fc2=nn.Linear(512, 256),
        lif2=neuron(),
        fc3=nn.Linear(256, 10),
    )


def _conv() -> OrderedDict[str, nn.Module]:
    return OrderedDict(
        conv1=nn.Conv2d(3, 32, 3, padding=1),
        lif1=neuron(),
        conv2=nn.Conv2d(32, 64, 3, stride=2, padding=1),
        lif2=neuron(),
        conv3=nn.Conv2d(64, 64, 3, stride=2, padding=1),
        lif3=neuron(),
        flatten=nn.Flatten(),
        fc=nn.Linear(64 * 8 * 8, 10),
    )
