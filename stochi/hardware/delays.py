"""What arrives of values that were sent at earlier time steps."""

from collections.abc import Mapping

import numpy as np

from stochi.hardware.fixed_point import Integers


def delayed(
    past: Mapping[int, Integers], step: int, delay: Integers, resting: Integers
) -> Integers:
    """Return the values that a source sent ``delay`` time steps ago, in the type of ``resting``.

    Args:
        past: (batch, *shape) by time step; nothing was sent at time steps that are missing.
        delay: int32, () or (*shape).
        resting: zeros of the source's batch and shape, of numpy or torch, like all others.
    """
    if not delay.ndim:
        sent = past.get(step - int(delay))
        return resting if sent is None else _like(resting, sent)
    arriving = resting
    for steps in sorted(set(delay.reshape(-1).tolist())):
        sent = past.get(step - steps)
        if sent is not None:
            arriving = arriving + _like(resting, sent) * _like(resting, delay == steps)
    return arriving


def _like(resting: Integers, values: Integers) -> Integers:
    if isinstance(resting, np.ndarray):
        return values.astype(resting.dtype)
    return values.to(dtype=resting.dtype, device=resting.device)
