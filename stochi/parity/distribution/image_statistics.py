"""What trials show of each image, of two sides; batch after batch can be joined.

Spikes are reduced to a few numbers for each image, so that memory does not grow with a layer's
neurons. Membranes stay histograms, since their distance is one of all images together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from stochi.errors import InputError
from stochi.parity.distribution.membranes import MembraneHistogram
from stochi.parity.distribution.spikes import (
    SpikeSums,
    fano_factors,
    firing_rates,
    side_distances,
    trial_distances,
)
from stochi.parity.distribution.trials import Trials

Two = tuple[np.ndarray, np.ndarray]
"""Numbers of the reference and of the other side, a value for each image."""


@dataclass(frozen=True)
class SpikeStatistics:
    """A layer's spikes.

    Attributes:
        rate: spikes per neuron and time step.
        fano, fano_count: sum of the Fano factors over the neurons that have one, and their number.
        distance: distance of two trials of one side; None for a single trial, as the other two.
        across: distance of a trial of each side, (images,).
    """

    rate: Two
    fano: Two | None
    fano_count: Two | None
    distance: Two | None
    across: np.ndarray | None


@dataclass(frozen=True)
class ImageStatistics:
    """What two sides' trials show of each image.

    Attributes:
        trials: number of trials of each side.
        spikes: layer → its spikes, of layers that spike.
        membranes: layer → the two sides' histograms.
        logits: (trials, images, classes) of each side.
    """

    trials: int
    spikes: dict[str, SpikeStatistics]
    membranes: dict[str, tuple[MembraneHistogram, MembraneHistogram]]
    logits: Two


def statistics_of(reference: Trials, other: Trials) -> ImageStatistics:
    """Reduce two sides' trials on the same images.

    Args:
        reference, other: trials of the same number, the other's on the reference's grids.

    Raises:
        InputError: the numbers of trials differ, or the grids.
    """
    if reference.trials != other.trials:
        # Fano factors and the noise in Wasserstein distances depend on it.
        raise InputError(
            f"{reference.trials} and {other.trials} trials cannot be compared; run as many"
        )
    if reference.grids != other.grids:
        raise InputError("the membranes are on other grids; take the trials with like=reference")
    return ImageStatistics(
        reference.trials,
        {name: _of_spikes(sums, other.spikes[name]) for name, sums in reference.spikes.items()},
        {name: (seen, other.membranes[name]) for name, seen in reference.membranes.items()},
        (reference.logits, other.logits),
    )


def join_statistics(parts: Sequence[ImageStatistics]) -> ImageStatistics:
    """Join the statistics of batches of images, at least one, that have the same grids."""
    first = parts[0]
    if len(parts) == 1:
        return first
    return ImageStatistics(
        first.trials,
        {name: _join_spikes([part.spikes[name] for part in parts]) for name in first.spikes},
        {
            name: _join_histograms([part.membranes[name] for part in parts])
            for name in first.membranes
        },
        _join([part.logits for part in parts], 1),
    )


def _of_spikes(ours: SpikeSums, theirs: SpikeSums) -> SpikeStatistics:
    rates = firing_rates(ours), firing_rates(theirs)
    if ours.trials == 1:
        return SpikeStatistics(rates, None, None, None, None)
    (our_fano, our_count), (their_fano, their_count) = fano_factors(ours), fano_factors(theirs)
    return SpikeStatistics(
        rates,
        (our_fano, their_fano),
        (our_count, their_count),
        (trial_distances(ours), trial_distances(theirs)),
        side_distances(ours, theirs),
    )


def _join_spikes(parts: Sequence[SpikeStatistics]) -> SpikeStatistics:
    names = [field.name for field in fields(SpikeStatistics)]
    return SpikeStatistics(*(_join([getattr(part, name) for part in parts]) for name in names))


def _join(parts: Sequence[Any], axis: int = 0) -> Any:
    """Join arrays, or pairs of them; None stays None."""
    if parts[0] is None:
        return None
    if isinstance(parts[0], tuple):
        return tuple(np.concatenate(side, axis) for side in zip(*parts, strict=True))
    return np.concatenate(parts, axis)


def _join_histograms(
    parts: Sequence[tuple[MembraneHistogram, MembraneHistogram]],
) -> tuple[MembraneHistogram, MembraneHistogram]:
    (left, *more_left), (right, *more_right) = zip(*parts, strict=True)
    return left.joined(more_left), right.joined(more_right)
