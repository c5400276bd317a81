"""What a layer's spikes are like over many trials, image by image, from sums alone.

Every function gives one value for each image, since images are what intervals are over; trials of
one image are no independent images. A place is one neuron at one step.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class SpikeSums:
    """Sums over the trials of one layer, to which trials are added one by one.

    Attributes:
        trials: how many are in.
        places: (steps, images, neurons) in how many trials each place had a spike.
        squares: (images, neurons) int64, the squared spike counts of all steps, summed over trials.
    """

    trials: int = 0
    places: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0), np.int32))
    squares: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int64))

    def add(self, spikes: np.ndarray) -> None:
        """Take in a trial, (steps, images, neurons) bool."""
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
        """(images, neurons) int64, the spikes of all steps and trials."""
        return self.places.sum(0, dtype=np.int64)


def firing_rates(sums: SpikeSums) -> np.ndarray:
    """(images,) spikes per neuron and step, in [0, 1]."""
    rates: np.ndarray = sums.places.mean((0, 2), dtype=np.float64) / sums.trials
    return rates


def fano_factors(sums: SpikeSums) -> tuple[np.ndarray, np.ndarray]:
    """Fano factors of the spike counts over trials (Fano 1947), summed for each image.

    A neuron's Fano factor on an image is the unbiased variance over the trials of its spike count,
    by the mean count. It is 1 for a Poisson process and 0 where every trial is alike. Neurons that
    no trial saw spike have none.

    Returns:
        (images,) sums over the neurons that have one, and (images,) how many those are.

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
    """(images,) mean Hamming distance of two trials of an image, the share of places that differ.

    Of all pairs of T trials, k·(T − k) differ at a place where k have a spike, so the mean over
    pairs is 2·p·(1 − p)·T / (T − 1) with p = k / T.

    Raises:
        ValueError: there are fewer than 2 trials.
    """
    _need_two(sums)
    differing = np.zeros(sums.places.shape[1])
    for place in sums.places:  # a step at a time, since products need more bits than counts
        spiking = place.astype(np.int64)
        differing += (spiking * (sums.trials - spiking)).sum(1)
    pairs = sums.trials * (sums.trials - 1) / 2
    return differing / (pairs * _places(sums))


def side_distances(left: SpikeSums, right: SpikeSums) -> np.ndarray:
    """(images,) mean Hamming distance of a trial of one side and a trial of the other.

    The mean over all pairs of p·(1 − q) + q·(1 − p), p and q the shares of trials with a spike.
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
        raise ValueError(f"{sums.trials} trials tell nothing of the spread over trials")
