"""Small networks for events, and samples that they are right about."""

from collections import OrderedDict

import snntorch as snn
import torch
from torch import nn

from stochi.train import RandomTauLeaky, RepeatSteps

STEPS, SHAPE = 4, (2, 3, 3)


def event_net(random: bool = False, seed: int = 0, strength: float = 4.0) -> RepeatSteps:
    """Build 18-16-3 for events, plain or with random τ, with random weights."""
    torch.manual_seed(seed)
    neuron: nn.Module = (
        RandomTauLeaky(threshold=0.3, init_hidden=True)
        if random
        else snn.Leaky(beta=0.7, threshold=0.5, init_hidden=True)
    )
    layers = OrderedDict(flatten=nn.Flatten(), fc1=nn.Linear(18, 16), lif1=neuron)
    layers["fc2"] = nn.Linear(16, 3)
    net = RepeatSteps(nn.Sequential(layers), STEPS, events=True).eval()
    with torch.no_grad():
        for name in ("fc1", "fc2"):
            layers[name].weight *= strength  # type: ignore[operator]
    return net


def some_events(samples: int, seed: int = 0, share: float = 0.3) -> torch.Tensor:
    """Draw (STEPS, samples, *SHAPE) events."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(STEPS, samples, *SHAPE, generator=generator) < share).float()


def answered(net: nn.Module, events: torch.Tensor) -> torch.Tensor:
    """Return the answered classes of one run."""
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(7)
        return net(events).argmax(1)  # type: ignore[no-any-return]
