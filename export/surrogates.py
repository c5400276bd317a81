"""snnTorch's surrogate gradients as words, which a graph keeps; reading them executes nothing."""

import math
from collections.abc import Callable
from typing import Any

import torch
from snntorch import surrogate

from stochi.errors import GraphError

Spike = Callable[[torch.Tensor], torch.Tensor]
NUMBERS = {
    **{"atan": ("alpha",), "fast_sigmoid": ("slope",), "sigmoid": ("slope",)},
    **{"triangular": ("threshold",), "spike_rate_escape": ("beta", "slope"), "LSO": ("slope",)},
    "straight_through_estimator": (),
}
"""Name in ``snntorch.surrogate`` → its numbers, all of those that draw nothing."""
DEFAULT = "atan alpha=2.0"
"""The surrogate of a snnTorch neuron that is not told otherwise, and of a graph that says none."""


def describe_surrogate(function: Any) -> str:
    """Return a surrogate's name and numbers, like ``"fast_sigmoid slope=25.0"``.

    Returns:
        "" for a function that is not one of :data:`NUMBERS`.
    """
    name = getattr(function, "__qualname__", "").partition(".")[0]
    if getattr(function, "__module__", "") != surrogate.__name__ or name not in NUMBERS:
        return ""
    cells = (cell.cell_contents for cell in function.__closure__ or ())
    held = dict(zip(function.__code__.co_freevars, cells, strict=True))
    numbers = [held.get(what) for what in NUMBERS[name]]
    if not all(isinstance(number, int | float) for number in numbers):
        return ""
    words = (f"{what}={float(n)!r}" for what, n in zip(NUMBERS[name], numbers, strict=True))  # type: ignore[arg-type]
    return " ".join([name, *words])


def make_surrogate(name: str, described: str) -> Spike:
    """Make the surrogate that a description names.

    Args:
        name: the node's name, for the message.
        described: as :func:`describe_surrogate` returns it; "" for the default.

    Raises:
        GraphError: there is no such surrogate.
    """
    kind, *words = (described or DEFAULT).split()
    pairs = [word.partition("=") for word in words]
    try:
        given = {what: float(number) for what, _, number in pairs}
    except ValueError:
        given = {"": math.nan}
    known = kind in NUMBERS and tuple(given) == NUMBERS[kind] and len(given) == len(words)
    if not known or not all(map(math.isfinite, given.values())):
        raise GraphError(
            f"node {name!r}: metadata 'surrogate' is {described!r}; it must be one of"
            f" {', '.join(NUMBERS)} with its numbers, like 'fast_sigmoid slope=25.0'"
        )
    made: Spike = getattr(surrogate, kind)(**given)
    return made
