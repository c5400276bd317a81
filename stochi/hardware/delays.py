"""What arrives of values that were sent at earlier time steps."""

from collections.abc import Mapping

import torch


def delayed(
    past: Mapping[int, torch.Tensor], step: int, delay: torch.Tensor, resting: torch.Tensor
) -> torch.Tensor:
    """Return the values that a source sent ``delay`` time steps ago, in the type of ``resting``.

    Args:
        past: (batch, *shape) by time step; nothing was sent at time steps that are missing.
        delay: int32, () or (*shape).
        resting: zeros of the source's batch and shape.
    """
    if delay.dim() == 0:
        sent = past.get(step - int(delay))
        return resting if sent is None else sent.to(resting.dtype)
    arriving = resting
    for steps in delay.unique().tolist():
        sent = past.get(step - steps)
        if sent is not None:
            arriving = arriving + sent.to(resting.dtype) * (delay == steps).to(resting.device)
    return arriving
