"""Surrogates from the words and values that an attack is given."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch

from stochi.attacks.surrogates.adaptive import AdaptiveSurrogate
from stochi.attacks.surrogates.kernels import KERNELS
from stochi.attacks.surrogates.potential import PotentialSurrogate
from stochi.attacks.surrogates.surrogate import (
    FixedSurrogate,
    GivenSurrogate,
    OwnSurrogate,
    Surrogate,
)
from stochi.errors import InputError, first_line

SurrogateChoice: TypeAlias = str | Surrogate | Callable[[torch.Tensor], torch.Tensor]
"""A name, a value, or a function of ``snntorch.surrogate``."""
OWN, ADAPTIVE = "own", "adaptive"
"""Names of the network's surrogate, and of the one that adapts to each neuron."""
_NAMED: dict[str, Callable[..., Surrogate]] = {
    OWN: OwnSurrogate,
    ADAPTIVE: AdaptiveSurrogate,
    "potential": PotentialSurrogate,
}


def make_surrogate(choice: SurrogateChoice) -> Surrogate:
    """Make a surrogate.

    Args:
        choice: "own", "adaptive", "potential"; a kernel and its sharpness, like "atan-25"; a
            :class:`Surrogate`; or a function from ``snntorch.surrogate``.

    Raises:
        InputError: there is no such surrogate.
    """
    if isinstance(choice, Surrogate):
        return choice
    if not isinstance(choice, str):
        if not callable(choice):
            raise InputError(f"surrogate is {choice!r}; {_ADVICE}")
        check_is_step(choice)
        return GivenSurrogate(choice)
    if choice in _NAMED:
        return _NAMED[choice]()
    kernel, _, number = choice.rpartition("-")
    try:
        sharpness = float(number)
    except ValueError:
        kernel, sharpness = "", 0.0
    if kernel == "adaptive":
        return AdaptiveSurrogate(sharpness)
    if kernel not in KERNELS:
        raise InputError(f"surrogate is {choice!r}; {_ADVICE}")
    return FixedSurrogate(kernel, sharpness)


def make_surrogates(
    choices: SurrogateChoice | Sequence[SurrogateChoice],
) -> tuple[Surrogate, ...]:
    """Make one or several surrogates, each once.

    Args:
        choices: one, several, or names separated by commas.

    Raises:
        InputError: there is none, or one is unknown.
    """
    if isinstance(choices, str):
        choices = [name.strip() for name in choices.split(",")]
    several = choices if isinstance(choices, (list, tuple)) else (choices,)
    found = tuple(dict.fromkeys(make_surrogate(choice) for choice in several))
    if not found:
        raise InputError(f"surrogates is empty; {_ADVICE}")
    return found


def describe_sampling(draws: int, surrogates: Sequence[Surrogate]) -> str:
    """Return the end of a title: the draws, and the surrogates unless they are the network's."""
    names = (
        ""
        if tuple(surrogates) == (OwnSurrogate(),)
        else ", " + " + ".join(surrogate.name for surrogate in surrogates)
    )
    return f"(EOT {draws}{names})"


def check_is_step(function: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Raise InputError unless a surrogate's forward pass is a step at 0."""
    probe = torch.tensor((-1.0, -0.01, 0.01, 1.0))
    try:
        is_step = torch.equal(function(probe).to(probe.dtype), (probe > 0).to(probe.dtype))
    except Exception as error:  # it may be any function, or a class
        raise InputError(
            f"the surrogate takes no tensor of membranes to one of spikes"
            f" ({type(error).__name__}: {first_line(error)}); {_ADVICE}"
        ) from error
    if not is_step:
        raise InputError(
            "the surrogate's forward pass is not 1 above the threshold and 0 below it, so it would"
            " change the model's answers; choose atan, fast_sigmoid, sigmoid or the like, with any"
            " slope"
        )


_ADVICE = (
    f"choose from {', '.join(_NAMED)}, a kernel with its sharpness ({', '.join(KERNELS)}: atan-25),"
    " or pass a function of snntorch.surrogate"
)
