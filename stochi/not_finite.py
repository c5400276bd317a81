"""Numbers of a torch model that are none: NaN and infinities."""

from collections.abc import Mapping

import torch


def find_not_finite(numbers: Mapping[str, torch.Tensor]) -> str | None:
    """The name of the first tensor that holds NaN or infinite values, if there is one."""
    by_device: dict[torch.device, list[torch.Tensor]] = {}
    for values in numbers.values():
        by_device.setdefault(values.device, []).append(values.isfinite().all())
    # A GPU is waited for once, not for every tensor: attacks in training ask at every batch.
    if all(bool(torch.stack(finite).all()) for finite in by_device.values()):
        return None
    return next(name for name, values in numbers.items() if not bool(values.isfinite().all()))
