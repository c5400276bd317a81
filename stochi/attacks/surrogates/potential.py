"""A surrogate as wide as the membranes are spread."""

from collections.abc import Hashable
from dataclasses import dataclass

import torch

from stochi.attacks.surrogates.kernels import gaussian
from stochi.attacks.surrogates.surrogate import SlopeRule, Surrogate

TINY = 1e-4
"""Floor of the spread, in the membrane's unit."""


@dataclass(frozen=True)
class PotentialSurrogate(Surrogate):
    """PDSG (Lun et al., CVPR 2025): a Gaussian with the membranes' own standard deviation.

    The deviation is that of a channel's membranes at a time step, over the rows of the batch and,
    in layers with positions, over these. A layer without positions has one deviation, since a
    single image would otherwise leave each neuron with one value.
    """

    @property
    def name(self) -> str:
        """Name in titles and options."""
        return "potential"

    def begin(self) -> SlopeRule:
        """Return the rule, which keeps nothing."""
        return _slope


def _slope(distance: torch.Tensor, place: Hashable, first: int | None) -> torch.Tensor:
    by_channel = distance.dim() > 2 and first is not None
    over = (0, *range(2, distance.dim())) if by_channel else tuple(range(distance.dim()))
    deviation = distance.std(over, correction=0, keepdim=True)
    return gaussian(distance, 1 / deviation.clamp_min(TINY))
