"""Search for NaN and infinite values among the numbers of a torch model."""

from collections.abc import Mapping

import torch


def find_not_finite(numbers: Mapping[str, torch.Tensor]) -> str | None:
    """Return the name of the first tensor that holds NaN or infinite values, or None."""
    by_device: dict[torch.device, list[torch.Tensor]] = {}
    for values in numbers.values():
        by_device.setdefault(values.device, []).append(values.isfinite().all())
    # Wait for a GPU once instead of once per tensor: attacks in training call this at every batch.
    if all(bool(torch.stack(finite).all()) for finite in by_device.values()):
        return None
    return next(name for name, values in numbers.items() if not bool(values.isfinite().all()))
