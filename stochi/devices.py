"""Checking a device before anything is computed."""

import torch

from stochi.errors import InputError


def check_device(name: str | torch.device) -> torch.device:
    """The device of that name; InputError where there is none."""
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"unknown device {name!r}; use cpu or cuda") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "device cuda: this torch sees no GPU; use cpu, or install a CUDA build of torch"
        )
    return device
