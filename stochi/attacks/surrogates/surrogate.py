"""Surrogate gradients as values."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import torch

from stochi.arguments import check_fields
from stochi.attacks.surrogates.kernels import KERNELS
from stochi.errors import InputError

SlopeRule = Callable[[torch.Tensor, Hashable, int | None], torch.Tensor]
"""Distances u − θ (rows, …), their place and the rows of the first draw → derivatives.

A place is a neuron module and the number of its call in a forward pass, so that a rule can keep
something for every time step. A model that runs on several draws at once has the images of the
first draw in its first rows; None stands for layers whose rows are something else.
"""


class Surrogate(ABC):
    """What stands in for the derivative of a spike while an attack climbs."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name in titles and options."""

    @abstractmethod
    def begin(self) -> SlopeRule | None:
        """Return the rule for one climb; None leaves the model's own surrogate."""


@dataclass(frozen=True)
class OwnSurrogate(Surrogate):
    """The surrogate that the network was trained with."""

    @property
    def name(self) -> str:
        """Name in titles and options."""
        return "own"

    def begin(self) -> None:
        """Leave the model as it is."""
        return None


@dataclass(frozen=True)
class FixedSurrogate(Surrogate):
    """One kernel with one sharpness, for all neurons.

    Attributes:
        kernel: "atan", "triangle", "gaussian" or "fast-sigmoid".
        sharpness: α > 0, in one over the membrane's unit; see ``kernels.py``.
    """

    kernel: str = "atan"
    sharpness: float = 25.0

    def __post_init__(self) -> None:
        check_fields(self)
        if self.kernel not in KERNELS:
            raise InputError(f"kernel is {self.kernel!r}; choose from {', '.join(KERNELS)}")
        if not 0 < self.sharpness < float("inf"):
            raise InputError(f"sharpness is {self.sharpness}; it must be a finite number above 0")

    @property
    def name(self) -> str:
        """Name in titles and options."""
        return f"{self.kernel}-{self.sharpness:g}"

    def begin(self) -> SlopeRule:
        """Return the kernel's derivative, which depends on the distance alone."""
        kernel, sharpness = KERNELS[self.kernel], self.sharpness
        return lambda distance, place, first: kernel(distance, sharpness)


@dataclass(frozen=True)
class GivenSurrogate(Surrogate):
    """A surrogate function, as ``snntorch.surrogate`` makes them.

    Attributes:
        function: distances → spikes, with a gradient of its own. Most of snnTorch's cannot be
            pickled, and an attack with one cannot be sent to another process.
    """

    function: Callable[[torch.Tensor], torch.Tensor]

    @property
    def name(self) -> str:
        """Name of the function, or of the one that made it, with its derivative at 0.1.

        The derivative tells slopes apart.
        """
        name = getattr(self.function, "__qualname__", type(self.function).__name__)
        slope = float(derivative_of(self.function, torch.tensor([0.1])))
        return f"{name.partition('.')[0]}@{slope:.3g}"

    def begin(self) -> SlopeRule:
        """Return the function's derivative."""
        return lambda distance, place, first: derivative_of(self.function, distance)


def derivative_of(
    function: Callable[[torch.Tensor], torch.Tensor], distance: torch.Tensor
) -> torch.Tensor:
    """Return a surrogate function's derivative at the distances."""
    with torch.enable_grad():
        leaf = distance.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(function(leaf), leaf, torch.ones_like(leaf))
    return slope
