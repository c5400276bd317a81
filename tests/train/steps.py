"""Training steps of a twin."""

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
