"""Coordinates of the chip's random draws: seed, trial, sample, layer and time step."""

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from stochi.arguments import shown
from stochi.errors import InputError

if TYPE_CHECKING:
    import torch

RANDOM_SOURCES = ("philox", "lfsr")
"""Sources of random bits; Philox is the default."""
LARGEST_SEED = 2**32 - 1
_LIMITS = {"seed": LARGEST_SEED + 1, "trial": 2**32, "layer": 2**16, "step": 2**32, "stream": 2**16}
_LIMITS |= {"first_sample": 2**32}


class LayerDraws(NamedTuple):
    """Draws of one layer in one time step, for any samples, neurons and stream.

    Attributes:
        seed, trial: whole numbers in [0, 2³²).
        layer: the layer's number in the Program, in [0, 2¹⁶).
        step: the sample's own time step, counted from 0, in [0, 2³²).
        source: one of ``RANDOM_SOURCES``.
    """

    seed: int
    trial: int
    layer: int
    step: int
    source: str = "philox"


@dataclass(frozen=True)
class Draws:
    """Draws of a run on one batch, a pure function of these values.

    Attributes:
        seed: whole number in [0, 2³²).
        trial: number of the repetition, a whole number in [0, 2³²).
        first_sample: number of the batch's first row, so that a shard draws the same as the whole.
        source: source of the random bits, "philox" or "lfsr"; see :mod:`stochi.hardware.noise`.

    Raises:
        InputError: the seed or the trial is out of range, or the source is unknown.
    """

    seed: int = 0
    trial: int = 0
    first_sample: int = 0
    source: str = "philox"

    def __post_init__(self) -> None:
        check_coordinates(seed=self.seed, trial=self.trial, first_sample=self.first_sample)
        check_source(self.source)
        for name in ("seed", "trial", "first_sample"):  # a narrow number of numpy would overflow
            object.__setattr__(self, name, operator.index(getattr(self, name)))

    def at(self, layer: int, step: int) -> LayerDraws:
        """Return the draws of a layer, by its number in the Program, in a time step."""
        return LayerDraws(self.seed, self.trial, layer, step, self.source)

    def samples(self, batch: int, device: "torch.device | None" = None) -> "torch.Tensor":
        """Return the sample number of each row of the batch, (batch,) int64."""
        import torch

        return torch.arange(batch, device=device) + self.first_sample


def check_coordinates(**coordinates: int) -> None:
    """Raise InputError if a seed, trial, layer, step or stream is out of its range."""
    for name, value in coordinates.items():
        limit = _LIMITS[name]
        if not 0 <= _as_whole(value) < limit:
            given = value if isinstance(value, str) else shown(value)
            raise InputError(f"{name} is {given}; it must be a whole number from 0 to {limit - 1}")


def _as_whole(value: object) -> int:
    """Return a whole number of any kind, −1 for what is none."""
    try:
        return -1 if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return -1


def check_source(source: str) -> None:
    """Raise InputError unless the source is one of ``RANDOM_SOURCES``."""
    if not isinstance(source, str) or source not in RANDOM_SOURCES:
        raise InputError(
            f"random_source is {shown(source)}; choose from {', '.join(RANDOM_SOURCES)}"
        )
