"""Distributions of a layer's membranes, and the distance between two of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 512
SPREADS = 8.0
"""Standard deviations to each side of the mean that a grid covers, if the values reach as far."""


@dataclass(frozen=True)
class Grid:
    """Bins of equal width; values outside are counted in the first or the last bin.

    Attributes:
        low: lower end of the first bin.
        width: width of a bin.
        spread: standard deviation of the values that the grid was made for; 1 if all were equal.
    """

    low: float
    width: float
    spread: float

    @staticmethod
    def around(values: np.ndarray) -> "Grid":
        """Make a grid for these values, with room at each end for a quarter of their range."""
        lowest, highest = float(values.min()), float(values.max())
        mean = float(values.mean(dtype=np.float64))
        spread = float(values.std(dtype=np.float64)) or 1.0
        room = 0.25 * (highest - lowest) or 1.0
        low = max(lowest - room, mean - SPREADS * spread)
        high = min(highest + room, mean + SPREADS * spread)
        width = (high - low) / (BINS - 1)
        # Resets leave many membranes at exactly 0, which must not be the border of two bins.
        return Grid((math.floor(low / width) - 0.5) * width, width, spread)


class MembraneHistogram:
    """Histograms of one layer's membranes for each image, of even and of odd trials apart.

    The difference between the two halves is what two samples of one distribution differ by. The
    difference between two sides is judged by it.

    Attributes:
        grid: bins of all histograms.
        counts: (2, images, bins) int32, of even and of odd trials.
    """

    def __init__(self, grid: Grid, images: int) -> None:
        self.grid = grid
        # All images' are kept to the end, so that they are small.
        self.counts = np.zeros((2, images, BINS), np.int32)

    def add(self, membranes: np.ndarray, unit: float, trial: int) -> None:
        """Add a trial.

        Args:
            membranes: (time steps, images, neurons).
            unit: the number in ``membranes`` that is 1 on the grid.
            trial: number of the trial.
        """
        images = membranes.shape[1]
        rows = np.arange(images)[:, None] * BINS
        for values in membranes:
            # By Python's floats, which leave the type of float32 alone on numpy 1 and on 2.
            bins = (values / float(unit) - self.grid.low) / self.grid.width
            bins = np.clip(bins, 0, BINS - 1).astype(np.int64) + rows
            found = np.bincount(bins.ravel(), minlength=images * BINS)
            self.counts[trial % 2] += found.reshape(images, BINS).astype(np.int32)

    def shares(self, half: int) -> np.ndarray:
        """Return the cumulative shares of the even (0) or odd (1) trials, (images, bins)."""
        cumulative = self.counts[half].cumsum(1, dtype=np.int64)
        return cumulative / cumulative[:, -1:]

    def joined(self, others: Sequence["MembraneHistogram"]) -> "MembraneHistogram":
        """Return the histograms of these images and then the others', on the same grid."""
        whole = MembraneHistogram(self.grid, 0)
        whole.counts = np.concatenate([self.counts, *(other.counts for other in others)], 1)
        return whole


def wasserstein(left: np.ndarray, right: np.ndarray, width: float) -> np.ndarray:
    """Return the Wasserstein-1 distance of two distributions, as each image's contribution.

    The distance is ∫ |F − G| (Vallender, 1974) of the cumulative shares over all images. Image i
    contributes ∫ sign(F − G)·(Fᵢ − Gᵢ), so the images' mean is the distance itself, and their
    spread gives its standard error if the sign is that of the true distributions (the delta
    method).

    Args:
        left, right: (images, bins) cumulative shares on the same grid, each image with the same
            number of values.
        width: width of a bin.

    Returns:
        (images,) in the units of ``width``.
    """
    difference = left - right
    parts: np.ndarray = width * (difference * np.sign(difference.mean(0))).sum(1)
    return parts


def wasserstein_of_sides(
    reference: MembraneHistogram, other: MembraneHistogram
) -> tuple[np.ndarray, np.ndarray]:
    """Return the Wasserstein-1 distances within the sides and across them.

    Both compare one half of the trials with another, so that they are alike if the distributions
    are: within, each side's even with its odd trials; across, one side's even with the other side's
    odd trials. The unit is the standard deviation of the reference.

    Returns:
        (images,) within and (images,) across, each averaged over its two comparisons; the means
        over the images are the distances.
    """
    width = reference.grid.width / reference.grid.spread
    (a, b), (c, d) = ([side.shares(half) for half in (0, 1)] for side in (reference, other))
    within = (wasserstein(a, b, width) + wasserstein(c, d, width)) / 2
    across = (wasserstein(a, d, width) + wasserstein(c, b, width)) / 2
    return within, across
