"""Checks of the options that neurons made of ``snn.Leaky`` share."""

import torch

from stochi.errors import InputError
from stochi.hardware.neuron import RESETS


def check_leaky_options(
    beta: float | torch.Tensor, threshold: float | torch.Tensor, reset_mechanism: str
) -> None:
    """Raise InputError unless decay, threshold and reset are those of a leaky neuron."""
    decay = torch.as_tensor(beta)
    if not bool(((decay >= 0) & (decay <= 1)).all()):
        raise InputError(f"beta is {beta}; a decay lies in [0, 1]")
    if not bool((torch.as_tensor(threshold) >= 0).all()):
        raise InputError(f"threshold is {threshold}; it must be a number of at least 0")
    if reset_mechanism not in RESETS:
        raise InputError(f"reset_mechanism is {reset_mechanism!r}; choose from {', '.join(RESETS)}")
