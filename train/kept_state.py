"""Checks of what a file says of a training, before and while it is taken over.

A checksum tells damage, not sense: whatever passes here can be trained on without an error.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from stochi.tensor_files import digest_of

_MOST = 2**53
"""Counts are smaller."""


def is_count(value: object, most: int = _MOST) -> bool:
    """Return whether a value is a whole number from 0 to the most."""
    return type(value) is int and 0 <= value <= most


def load_weights(model: nn.Module, weights: Any) -> None:
    """Take over the weights of a network.

    Raises:
        ValueError, TypeError, AttributeError, RuntimeError: they are not of this network.
    """
    before = _forms(model.state_dict())
    model.load_state_dict(weights)
    # Loading converts other types, and takes any shape for what is drawn late and was empty.
    after = _forms(model.state_dict())
    if after != _forms(weights):
        raise ValueError("its weights are of another type")
    if any(after[name] != form for name, form in before.items() if 0 not in form[1]):
        raise ValueError("its weights have another shape")


def load_optimizer(optimizer: Optimizer, kept: Any) -> None:
    """Take over the state of an optimizer that has the same options, but for the learning rate.

    Raises:
        KeyError, ValueError, TypeError, AttributeError, RuntimeError: it is not of this optimizer.
    """
    fresh = optimizer.state_dict()
    if digest_of(_without_rate(kept)) != digest_of(_without_rate(fresh)):
        raise ValueError("its optimizer has other options")
    for group in kept["param_groups"]:
        if type(group["lr"]) is not float or not 0 <= group["lr"] < math.inf:
            raise ValueError("its learning rate is none")
    shapes = [one.shape for group in optimizer.param_groups for one in group["params"]]
    scalars = _state_names(optimizer)
    for number, values in kept["state"].items():
        if not is_count(number, len(shapes) - 1) or set(values) != set(scalars):
            raise ValueError("its optimizer has another state")
        for name, is_scalar in scalars.items():
            _check_state(values[name], shapes[number], is_scalar)
    optimizer.load_state_dict(kept)


def load_schedule(schedule: LRScheduler, kept: Any, epochs: int) -> None:
    """Take over the state of a schedule after a number of epochs.

    Raises:
        KeyError, ValueError, TypeError, AttributeError: it is not of this schedule.
    """
    rates = [group["lr"] for group in schedule.optimizer.param_groups]
    then = {"last_epoch": epochs, "_step_count": epochs + 1, "_last_lr": rates}
    if digest_of(kept) != digest_of({**schedule.state_dict(), **then}):
        raise ValueError("its schedule is another one")
    schedule.load_state_dict(kept)


def _forms(weights: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Return types and shapes, by name."""
    return {
        name: (value.dtype, tuple(value.shape)) if torch.is_tensor(value) else (type(value), ())
        for name, value in weights.items()
    }


def _without_rate(state: Any) -> list[dict[str, Any]]:
    """Return the options of the groups of an optimizer, without the learning rate."""
    groups = state["param_groups"]
    return [{name: value for name, value in group.items() if name != "lr"} for group in groups]


def _state_names(optimizer: Optimizer) -> dict[str, bool]:
    """Return the names of what an optimizer keeps of a parameter, and whether it is one number."""
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.zeros(2)
    same = type(optimizer)([parameter], **optimizer.defaults)
    same.step()
    return {name: value.dim() == 0 for name, value in same.state[parameter].items()}


def _check_state(value: Any, shape: torch.Size, is_scalar: bool) -> None:
    """Raise ValueError unless a tensor has its parameter's shape, or is a count."""
    if not torch.is_tensor(value) or not value.is_floating_point():
        raise ValueError("its optimizer's state is not of numbers")
    if value.shape != (() if is_scalar else shape):
        raise ValueError("its optimizer's state has another shape")
    if is_scalar and not 0 <= float(value) < _MOST:
        raise ValueError("its optimizer has counted other steps")
