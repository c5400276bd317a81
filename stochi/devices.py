"""Check of a device before anything is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stochi.errors import InputError

if TYPE_CHECKING:
    import torch


def check_device(name: str | torch.device) -> torch.device:
    """Return the device with this name.

    Raises:
        InputError: the name is unknown, or the device is a GPU that torch does not see.
    """
    import torch  # slow to import, and commands import this module

    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"unknown device {name!r}; use cpu or cuda") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "device cuda: this torch sees no GPU; use cpu, or install a CUDA build of torch"
        )
    return device
