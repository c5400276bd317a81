"""Training steps of a twin, and steps of a neuron."""

import snntorch as snn
import torch
from torch import nn
from torch.nn import functional

from stochi.train import set_draws


def losses_of_training(
    twin: nn.Module, images: torch.Tensor, labels: torch.Tensor, steps: int
) -> list[float]:
    """Train on one batch, with other draws in each step; returns the losses."""
    optimizer = torch.optim.Adam(twin.parameters(), 0.02)
    losses = []
    for trial in range(steps):
        set_draws(twin, trial=trial)
        loss = functional.cross_entropy(twin(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def drive(currents: torch.Tensor, neuron: snn.Leaky) -> tuple[torch.Tensor, torch.Tensor]:
    """Return spikes and membranes of all steps of a neuron that its caller gives its membranes."""
    mem, found = neuron.reset_mem(), []
    for current in currents:
        spikes, mem = neuron(current, mem)
        found.append((spikes, mem))
    spikes, membranes = zip(*found, strict=True)
    return torch.stack(spikes), torch.stack(membranes)
