"""Intervals for accuracies: what a number of images can and cannot tell."""

import math
from dataclasses import asdict, dataclass

import torch

Z95 = 1.959964
"""The standard normal's 97.5 % quantile."""


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval; ``trial_spread`` is the standard deviation over trials."""

    value: float
    low: float
    high: float
    images: int
    trials: int
    trial_spread: float = 0.0

    def as_dict(self) -> dict[str, float]:
        """Plain values, for a report."""
        return asdict(self)


def estimate_accuracy(correct: torch.Tensor) -> Estimate:
    """Accuracy with Wilson's score interval (Wilson, JASA 1927) over the images.

    Args:
        correct: (trials, images) bool. Trials repeat the same images, so they don't widen the
            sample: the interval counts images only.
    """
    trials, images = correct.shape
    by_trial = correct.double().mean(1)
    mean = float(by_trial.mean())
    spread = float(by_trial.std(unbiased=True)) if trials > 1 else 0.0
    square = Z95**2 / images
    centre = (mean + square / 2) / (1 + square)
    half = Z95 / (1 + square) * math.sqrt(mean * (1 - mean) / images + square / (4 * images))
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    # Where all are right, or none, the formula's end is the value but for a rounding error.
    return Estimate(mean, min(low, mean), max(high, mean), images, trials, spread)


def estimate_difference(first: torch.Tensor, second: torch.Tensor) -> Estimate:
    """Mean of ``second − first`` in accuracy on the same images, with a paired interval.

    Bonett and Price's (J. Educ. Behav. Stat., 2012): the normal interval over the images'
    differences and two more, one of +1 and one of −1. So it says something where hardly an image
    differs, or none. Each image's difference is averaged over trials.

    Args:
        first, second: (trials, images) bool, of the same images.
    """
    difference = second.double().mean(0) - first.double().mean(0)
    images = len(difference)
    centre = float(difference.sum()) / (images + 2)
    spread = (float(difference.square().sum()) + 2) / (images + 2) - centre**2
    half = Z95 * math.sqrt(spread / (images + 2))
    low, high = max(-1.0, centre - half), min(1.0, centre + half)
    return Estimate(float(difference.mean()), low, high, images, len(first))


def estimate_mean(values: torch.Tensor, trials: int) -> Estimate:
    """The mean of (images,) values, each averaged over so many trials, with a normal interval."""
    count, mean = len(values), float(values.mean())
    # A single value tells nothing.
    half = Z95 * float(values.std(unbiased=True)) / math.sqrt(count) if count > 1 else 1.0
    return Estimate(mean, mean - half, mean + half, count, trials)
