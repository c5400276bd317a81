"""How a layer's membranes are distributed, and how far two such distributions are apart."""

from dataclasses import dataclass

import numpy as np

BINS = 512
SPREADS = 8.0
"""A grid reaches so many standard deviations to both sides of the mean, if the values do."""


@dataclass(frozen=True)
class Grid:
    """Bins of equal width; values outside count at the ends.

    Attributes:
        low: the lower end.
        width: of a bin.
        spread: standard deviation of the values the grid was chosen for; 1 if all were equal.
    """

    low: float
    width: float
    spread: float

    @staticmethod
    def around(values: np.ndarray) -> "Grid":
        """A grid for values like these, with room for others that reach a quarter further."""
        lowest, highest = float(values.min()), float(values.max())
        mean = float(values.mean(dtype=np.float64))
        spread = float(values.std(dtype=np.float64)) or 1.0
        room = 0.25 * (highest - lowest) or 1.0
        low = max(lowest - room, mean - SPREADS * spread)
        high = min(highest + room, mean + SPREADS * spread)
        width = (high - low) / (BINS - 1)
        # Resets leave many membranes at exactly 0, which must not fall on the border of two bins.
        return Grid((np.floor(low / width) - 0.5) * width, width, spread)


class MembraneHistogram:
    """Histograms of one layer's membranes, one for each image, of even and of odd trials.

    Two halves, since only what two samples of one law differ by tells how much the difference of
    two samples of two laws means.

    Attributes:
        counts: (2, images, bins) int64.
    """

    def __init__(self, grid: Grid, images: int) -> None:
        self.grid = grid
        self.counts = np.zeros((2, images, BINS), np.int64)

    def add(self, membranes: np.ndarray, unit: float, trial: int) -> None:
        """Take in a trial, (steps, images, neurons) in numbers of which ``unit`` make up 1."""
        images = membranes.shape[1]
        rows = np.arange(images)[:, None] * BINS
        for values in membranes:
            bins = (values / np.float64(unit) - self.grid.low) / self.grid.width
            bins = np.clip(bins, 0, BINS - 1).astype(np.int64) + rows
            found = np.bincount(bins.ravel(), minlength=images * BINS)
            self.counts[trial % 2] += found.reshape(images, BINS)

    def shares(self, half: int) -> np.ndarray:
        """(images, bins) cumulative share of the even (0) or odd (1) trials' values."""
        cumulative = self.counts[half].cumsum(1)
        return cumulative / cumulative[:, -1:]


def wasserstein(left: np.ndarray, right: np.ndarray, width: float) -> np.ndarray:
    """Wasserstein-1 distance of two distributions, as what each image adds to it.

    The distance is ∫ |F − G| (Vallender, 1974) of the cumulative shares over all images. Image i
    adds ∫ sign(F − G)·(Fᵢ − Gᵢ), so the images' mean is the distance itself, and their spread its
    standard error as far as the sign is that of the laws (the delta method).

    Args:
        left, right: (images, bins) cumulative shares on the same grid, each image with the same
            number of values.
        width: of a bin.

    Returns:
        (images,) in the units of ``width``.
    """
    difference = left - right
    parts: np.ndarray = width * (difference * np.sign(difference.mean(0))).sum(1)
    return parts


def wasserstein_of_sides(
    reference: MembraneHistogram, other: MembraneHistogram
) -> tuple[np.ndarray, np.ndarray]:
    """Wasserstein-1 within the sides and across them, in standard deviations of the reference.

    Both are between one half of the trials and another, so that they are alike where the laws
    are: within, of each side's even and odd trials; across, of one side's even and the other's odd
    trials.

    Returns:
        (images,) within and (images,) across, averaged over the two ways; their means are the
        distances.
    """
    width = reference.grid.width / reference.grid.spread
    (a, b), (c, d) = ([side.shares(half) for half in (0, 1)] for side in (reference, other))
    within = (wasserstein(a, b, width) + wasserstein(c, d, width)) / 2
    across = (wasserstein(a, d, width) + wasserstein(c, b, width)) / 2
    return within, across
