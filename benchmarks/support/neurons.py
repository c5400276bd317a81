"""snnTorch's neurons, each in a small network that runs it in a loop."""

from collections.abc import Callable

import snntorch as snn
import torch
from torch import nn

from stochi.train import RandomTauLeaky

NEURONS: dict[str, Callable[..., nn.Module]] = {
    "Leaky": lambda **k: snn.Leaky(beta=0.8, **k),
    "Synaptic": lambda **k: snn.Synaptic(alpha=0.7, beta=0.8, **k),
    "Lapicque": lambda **k: snn.Lapicque(R=2.0, C=3.0, time_step=1.0, **k),
    "RLeaky": lambda **k: snn.RLeaky(beta=0.8, linear_features=6, **k),
    "RLeaky one to one": lambda **k: snn.RLeaky(beta=0.8, V=0.4, all_to_all=False, **k),
    "RSynaptic": lambda **k: snn.RSynaptic(alpha=0.7, beta=0.8, linear_features=6, **k),
    "IF": lambda **k: snn.Leaky(beta=1.0, **k),
    "some IF": lambda **k: snn.Leaky(beta=torch.tensor([0.0, 0.3, 1.0, 1.2, 0.9, -1]), **k),
    "learned": lambda **k: snn.Leaky(beta=0.6, learn_beta=True, learn_threshold=True, **k),
    "RandomTau": lambda **k: RandomTauLeaky(sampling="mean", **k),
}


class Loop(nn.Module):
    def __init__(self, neuron: nn.Module, membrane: bool = False) -> None:
        super().__init__()
        self.fc, self.neuron, self.membrane = nn.Linear(5, 6), neuron, membrane

    def forward(self, events: torch.Tensor) -> torch.Tensor:
        states = self.neuron.reset_mem()  # type: ignore[operator]
        states = states if isinstance(states, tuple) else (states,)
        recurrent = isinstance(self.neuron, snn.RLeaky | snn.RSynaptic)
        out = []
        for frame in events:
            results = self.neuron(self.fc(frame), *states)
            states = results if recurrent else results[1:]
            out.append(results[-1] if self.membrane else results[0])
        return torch.stack(out)
