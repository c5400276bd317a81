"""Confidence intervals of accuracies and means, over the images of a sample."""

import math
from dataclasses import dataclass

import torch
from scipy.special import stdtrit

from stochi.arguments import check_arguments
from stochi.errors import InputError, check_at_least_one

Z95 = 1.959964
"""The 97.5 % quantile of the standard normal distribution."""


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval.

    Attributes:
        value: the estimate itself.
        low, high: the ends of the interval.
        images, trials: sizes of the sample.
        trial_spread: standard deviation over trials.
    """

    value: float
    low: float
    high: float
    images: int
    trials: int
    trial_spread: float = 0.0


def estimate_accuracy(correct: torch.Tensor) -> Estimate:
    """Estimate an accuracy with Wilson's score interval (Wilson, JASA 1927) over the images.

    Args:
        correct: (trials, images) bool. Trials repeat the same images and do not enlarge the
            sample: the interval counts images only.
    """
    check_arguments(estimate_accuracy, locals())
    _check_shape(2, correct=correct)
    if not bool(((correct >= 0) & (correct <= 1)).all()):
        raise InputError("correct has values outside [0, 1]; pass whether each answer is correct")
    trials, images = correct.shape
    by_trial = correct.double().mean(1)
    mean = float(by_trial.mean())
    spread = float(by_trial.std(unbiased=True)) if trials > 1 else 0.0
    square = Z95**2 / images
    centre = (mean + square / 2) / (1 + square)
    half = Z95 / (1 + square) * math.sqrt(mean * (1 - mean) / images + square / (4 * images))
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    # If all answers are correct, or none, the formula gives the value up to a rounding error.
    return Estimate(mean, min(low, mean), max(high, mean), images, trials, spread)


def estimate_difference(first: torch.Tensor, second: torch.Tensor) -> Estimate:
    """Estimate the mean of ``second − first`` in accuracy, with a paired interval.

    The interval is that of Bonett and Price (J. Educ. Behav. Stat., 2012): the normal interval over
    the images' differences and two additional ones, +1 and −1. It is therefore informative even if
    few or no images differ. Each image's difference is averaged over trials.

    Args:
        first, second: (trials, images) bool, on the same images.
    """
    check_arguments(estimate_difference, locals())
    _check_shape(2, first=first, second=second)
    if first.shape[1] != second.shape[1]:
        raise InputError(
            f"first has {first.shape[1]} images and second {second.shape[1]}; they must be the same"
        )
    difference = second.double().mean(0) - first.double().mean(0)
    images = len(difference)
    centre = float(difference.sum()) / (images + 2)
    spread = (float(difference.square().sum()) + 2) / (images + 2) - centre**2
    half = Z95 * math.sqrt(spread / (images + 2))
    low, high = max(-1.0, centre - half), min(1.0, centre + half)
    return Estimate(float(difference.mean()), low, high, images, len(first))


def estimate_mean(values: torch.Tensor, trials: int) -> Estimate:
    """Estimate the mean of values with a normal interval.

    Args:
        values: (images,), each averaged over ``trials`` trials.
    """
    check_arguments(estimate_mean, locals())
    _check_shape(1, values=values)
    check_at_least_one(trials=trials)
    count, mean = len(values), float(values.double().mean())
    # The spread of a single value is unknown.
    half = Z95 * float(values.double().std(unbiased=True)) / math.sqrt(count) if count > 1 else 1.0
    return Estimate(mean, mean - half, mean + half, count, trials)


def estimate_over_trainings(values: torch.Tensor) -> Estimate | None:
    """Estimate what another training would give, with Student's interval over the trainings.

    Args:
        values: (trainings,), an accuracy or a difference of each.

    Returns:
        The mean with the interval of the mean, clipped to [−1, 1]; None for a single training,
        which tells nothing about others. ``images`` is 0.
    """
    check_arguments(estimate_over_trainings, locals())
    _check_shape(1, values=values)
    count = len(values)
    if count < 2:
        return None
    mean, spread = float(values.double().mean()), float(values.double().std(unbiased=True))
    half = float(stdtrit(count - 1, 0.975)) * spread / math.sqrt(count)
    return Estimate(mean, max(-1.0, mean - half), min(1.0, mean + half), 0, count, spread)


def _check_shape(dims: int, **given: torch.Tensor) -> None:
    """Raise InputError unless tensors, by their names, hold numbers in so many dimensions."""
    for name, values in given.items():
        if values.dim() != dims or not values.numel() or values.is_complex():
            words = {1: "(n,)", 2: "(trials, images)"}[dims]
            raise InputError(
                f"{name} is {values.dtype} of shape {tuple(values.shape)}; it must hold real"
                f" numbers, {words}"
            )
