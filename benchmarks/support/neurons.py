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
    "RLeaky, one to one": lambda **k: snn.RLeaky(beta=0.8, V=0.4, all_to_all=False, **k),
    "RSynaptic": lambda **k: snn.RSynaptic(alpha=0.7, beta=0.8, linear_features=6, **k),
    "Leaky, β = 1": lambda **k: snn.Leaky(beta=1.0, **k),
    "Leaky, β of each neuron": lambda **k: snn.Leaky(
        beta=torch.tensor([0.0, 0.3, 1.0, 1.2, 0.9, -1]), **k
    ),
    "Leaky, β and θ learned": lambda **k: snn.Leaky(
        beta=0.6, learn_beta=True, learn_threshold=True, **k
    ),
    "RandomTauLeaky, mean τ": lambda **k: RandomTauLeaky(sampling="mean", **k),
}
ONE_TO_ONE = {
    "RSynaptic, one to one": lambda **k: snn.RSynaptic(
        alpha=0.7, beta=0.8, V=0.4, all_to_all=False, **k
    ),
}
RANDOM: dict[str, Callable[..., nn.Module]] = {
    "RandomTauLeaky, τ drawn at every step": lambda **k: RandomTauLeaky(**k),
    "RandomTauLeaky, τ drawn in every pass": lambda **k: RandomTauLeaky(sampling="forward", **k),
}
REFUSED: dict[str, Callable[[], nn.Module]] = {
    "Alpha": lambda: Loop(snn.Alpha(alpha=0.9, beta=0.8)),
    "SLSTM": lambda: Loop(snn.SLSTM(6, 6)),
    "SConv2dLSTM": lambda: Loop(snn.SConv2dLSTM(1, 1, 3), image=True),
    "DeltaLeaky": lambda: AtOnce(snn.DeltaLeaky(0.1, beta=0.8, init_hidden=True)),
    "LeakyParallel": lambda: AtOnce(snn.LeakyParallel(5, 6)),
    "StateLeaky": lambda: AtOnce(snn.StateLeaky(0.8, 5)),
    "LinearLeaky": lambda: AtOnce(snn.LinearLeaky(0.8, 5, 6)),
    "AssociativeLeaky": lambda: AtOnce(snn.AssociativeLeaky(5, 4, 4, 16)),
}
"""Neurons that no chip has, in networks that take events (time steps, batch, 5)."""


class AtOnce(nn.Module):
    """A neuron that is called once, on all time steps."""

    def __init__(self, neuron: nn.Module) -> None:
        super().__init__()
        self.neuron = neuron

    def forward(self, events: torch.Tensor) -> torch.Tensor:
        if hasattr(self.neuron, "reset_mem"):
            self.neuron.reset_mem()  # type: ignore[operator]
        found = self.neuron(events)
        spikes: torch.Tensor = found[0] if isinstance(found, tuple) else found
        return spikes


class Loop(nn.Module):
    """A neuron that takes one time step in each call, its states outside."""

    def __init__(self, neuron: nn.Module, membrane: bool = False, image: bool = False) -> None:
        super().__init__()
        self.fc, self.neuron, self.membrane = nn.Linear(5, 6), neuron, membrane
        self.image = image

    def forward(self, events: torch.Tensor) -> torch.Tensor:
        states = self.neuron.reset_mem()  # type: ignore[operator]
        states = states if isinstance(states, tuple) else (states,)
        recurrent = isinstance(self.neuron, snn.RLeaky | snn.RSynaptic)
        out = []
        for frame in events:
            current = self.fc(frame)
            results = self.neuron(current.view(-1, 1, 2, 3) if self.image else current, *states)
            states = results if recurrent else results[1:]
            out.append(results[-1] if self.membrane else results[0])
        return torch.stack(out)
