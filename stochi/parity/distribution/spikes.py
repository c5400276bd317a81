"""Statistics of a layer's spikes over many trials, image by image, from sums alone.

Every function returns one value for each image, since intervals are over images; trials of one
image are not independent images. A place is one neuron at one time step.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class SpikeSums:
    """Sums over one layer's trials, which are added one by one.

    Attributes:
        trials: number of trials that were added.
        places: number of trials with a spike at each place, (time steps, images, neurons).
        squares: sum over trials of the squared spike counts, (images, neurons) int64.
    """

    trials: int = 0
    places: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0), np.int32))
    squares: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int64))

    def add(self, spikes: np.ndarray) -> None:
        """Add a trial, (time steps, images, neurons) bool."""
        if not self.trials:
            self.places = np.zeros(spikes.shape, np.uint16)
            self.squares = np.zeros(spikes.shape[1:], np.int64)
        if self.trials == np.iinfo(self.places.dtype).max:
            self.places = self.places.astype(np.uint32)
        self.places += spikes
        self.squares += spikes.sum(0, dtype=np.int64) ** 2
        self.trials += 1

    @property
    def counts(self) -> np.ndarray:
        """Number of spikes in all time steps and trials, (images, neurons) int64."""
        return self.places.sum(0, dtype=np.int64)


def firing_rates(sums: SpikeSums) -> np.ndarray:
    """Return the spikes per neuron and time step, in [0, 1], (images,)."""
    rates: np.ndarray = sums.places.mean((0, 2), dtype=np.float64) / sums.trials
    return rates


def fano_factors(sums: SpikeSums) -> tuple[np.ndarray, np.ndarray]:
    """Sum each image's Fano factors (Fano, 1947) of the spike counts over trials.

    A neuron's Fano factor on an image is the unbiased variance of its spike count over the trials,
    divided by the mean count. It is 1 for a Poisson process, and 0 if all trials are alike. A
    neuron without a spike in any trial has none.

    Returns:
        (images,) sums over the neurons that have one, and (images,) the number of those neurons.

    Raises:
        ValueError: there are fewer than 2 trials.
    """
    _need_two(sums)
    counts = sums.counts
    active = counts > 0
    mean = counts / sums.trials
    variance = (sums.squares - counts * mean) / (sums.trials - 1)
    factors = np.divide(variance, mean, out=np.zeros_like(mean), where=active)
    return factors.sum(1), active.sum(1)


def trial_distances(sums: SpikeSums) -> np.ndarray:
    """Return the mean Hamming distance between two trials of an image, (images,).

    The distance is the share of places that differ. At a place with a spike in k of T trials,
    k·(T − k) of all pairs of trials differ, so the mean over pairs is 2·p·(1 − p)·T / (T − 1) with
    p = k / T.

    Raises:
        ValueError: there are fewer than 2 trials.
    """
    _need_two(sums)
    differing = np.zeros(sums.places.shape[1])
    for place in sums.places:  # one time step at a time: products need more bits than counts
        spiking = place.astype(np.int64)
        differing += (spiking * (sums.trials - spiking)).sum(1)
    pairs = sums.trials * (sums.trials - 1) / 2
    return differing / (pairs * _places(sums))


def side_distances(left: SpikeSums, right: SpikeSums) -> np.ndarray:
    """Return the mean Hamming distance between a trial of one side and one of the other, (images,).

    It is the mean of p·(1 − q) + q·(1 − p) over all places, with p and q the shares of the sides'
    trials that have a spike there.
    """
    differing = np.zeros(left.places.shape[1])
    for ours, theirs in zip(left.places, right.places, strict=True):
        p, q = ours / left.trials, theirs / right.trials
        differing += (p + q - 2 * p * q).sum(1)
    return differing / _places(left)


def _places(sums: SpikeSums) -> int:
    return sums.places.shape[0] * sums.places.shape[2]


def _need_two(sums: SpikeSums) -> None:
    if sums.trials < 2:
        raise ValueError(
            f"{sums.trials} trials do not show the spread over trials; at least 2 are needed"
        )
