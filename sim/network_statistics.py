"""What a network's answers are like over many trials, image by image."""

import numpy as np


def agreement_within(predictions: np.ndarray, classes: int) -> np.ndarray:
    """(images,) share of pairs of different trials that predict the same class.

    Args:
        predictions: (trials, images) of at least 2 trials.
    """
    votes = _votes(predictions, classes)
    trials = len(predictions)
    shares: np.ndarray = (votes * (votes - 1)).sum(1) / (trials * (trials - 1))
    return shares


def agreement_across(left: np.ndarray, right: np.ndarray, classes: int) -> np.ndarray:
    """(images,) share of pairs, a trial of each side, that predict the same class.

    Args:
        left, right: (trials, images).
    """
    votes = (_votes(left, classes) * _votes(right, classes)).sum(1)
    shares: np.ndarray = votes / (len(left) * len(right))
    return shares


def trial_variances(logits: np.ndarray) -> np.ndarray:
    """(images,) unbiased variance over trials of (trials, images, classes), mean of the classes."""
    variances: np.ndarray = logits.var(0, ddof=1).mean(1)
    return variances


def _votes(predictions: np.ndarray, classes: int) -> np.ndarray:
    """(images, classes) how many trials predict each class."""
    return np.stack([(predictions == number).sum(0) for number in range(classes)], 1)
