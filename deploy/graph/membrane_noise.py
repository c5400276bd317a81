"""The metadata of a NIR node whose membranes are noisy; other tools may ignore it.

The NIR node itself is the neuron without noise. ``node.metadata["membrane_noise"]`` holds the
values of :class:`MembraneNoise`.
"""

import math
from dataclasses import dataclass

import nir
import torch

from stochi.arguments import check_fields
from stochi.deploy.graph.noted import read_noted
from stochi.errors import InputError

METADATA_KEY = "membrane_noise"
DISTRIBUTIONS = ("normal", "uniform")
LARGEST_STD = 1e38
"""Largest deviation, a third of what single precision holds."""


@dataclass(frozen=True)
class MembraneNoise:
    """Noise with a mean of 0 that is added to every membrane at every time step.

    Attributes:
        std: standard deviation, above 0 and at most 1e38, in the units of the membrane.
        distribution: "normal" or "uniform".

    Raises:
        InputError: a value is out of range.
    """

    std: float
    distribution: str = "normal"

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 < self.std < math.inf:
            raise InputError(f"std is {self.std}; noise needs a finite number above 0")
        if self.std > LARGEST_STD:
            raise InputError(f"std is {self.std:g}; single precision holds {LARGEST_STD:g} at most")
        if self.distribution not in DISTRIBUTIONS:
            raise InputError(
                f"distribution is {self.distribution!r}; choose from {', '.join(DISTRIBUTIONS)}"
            )

    @property
    def half_width(self) -> float:
        """Largest magnitude of uniform noise with this standard deviation."""
        return math.sqrt(3) * self.std

    def draw(self, like: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        """Draw noise for each element of ``like``, with its shape, type and device."""
        draw = torch.randn if self.distribution == "normal" else torch.rand
        drawn = draw(like.shape, generator=generator, device=like.device, dtype=like.dtype)
        if self.distribution == "normal":
            return self.std * drawn
        return self.half_width * (2 * drawn - 1)


def describe_noise(noise: MembraneNoise) -> dict[str, dict[str, float | str]]:
    """Return the metadata of a node with noisy membranes."""
    return {METADATA_KEY: {"std": noise.std, "distribution": noise.distribution}}


def read_membrane_noise(name: str, node: nir.NIRNode) -> MembraneNoise | None:
    """Read the noise of a node; None if it has no such metadata.

    Raises:
        GraphError: the metadata is incomplete or not valid.
    """
    return read_noted(
        name,
        node,
        METADATA_KEY,
        lambda noted: MembraneNoise(float(noted["std"]), str(noted["distribution"])),
    )
