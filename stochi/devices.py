"""Devices: their check before anything is computed, and models on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING

from stochi.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import nn


DEVICES = ("cpu", "cuda")
"""Names of the kinds of devices."""


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
    if device.type not in DEVICES:
        raise InputError(f"device {name!r} is not supported; use cpu or cuda")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "device cuda: this torch sees no GPU; use cpu, or install a CUDA build of torch"
        )
    return device


def device_of(model: nn.Module) -> torch.device:
    """Return the device of a model's parameters, or else its buffers; the CPU without both."""
    import torch

    some = next(chain(model.parameters(), model.buffers()), None)
    return torch.device("cpu") if some is None else some.device


@contextmanager
def on_device(device: torch.device, *models: nn.Module) -> Iterator[None]:
    """Move models to a device while inside, then back to where each of them was."""
    before = [device_of(model) for model in models]
    try:
        for model in models:
            model.to(device)
        yield
    finally:
        for model, place in zip(models, before, strict=True):
            model.to(place)
