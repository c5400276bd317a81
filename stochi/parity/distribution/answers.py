"""Statistics of a network's answers over many trials, image by image."""

import numpy as np


def agreement_within(predictions: np.ndarray, classes: int) -> np.ndarray:
    """Return the share of pairs of different trials that predict the same class, (images,).

    Args:
        predictions: (trials, images) classes, of at least 2 trials.
        classes: number of classes.
    """
    votes = _votes(predictions, classes)
    trials = len(predictions)
    shares: np.ndarray = (votes * (votes - 1)).sum(1) / (trials * (trials - 1))
    return shares


def agreement_across(left: np.ndarray, right: np.ndarray, classes: int) -> np.ndarray:
    """Return the share of pairs of one trial of each side that predict the same class, (images,).

    Args:
        left, right: (trials, images) classes.
        classes: number of classes.
    """
    votes = (_votes(left, classes) * _votes(right, classes)).sum(1)
    shares: np.ndarray = votes / (len(left) * len(right))
    return shares


def trial_variances(logits: np.ndarray) -> np.ndarray:
    """Return the unbiased variance of the logits over trials, averaged over the classes, (images,).

    Args:
        logits: (trials, images, classes), of at least 2 trials.
    """
    # The mean of equal numbers may be rounded, and would leave a variance above 0.
    varied = (logits != logits[:1]).any(0)
    variances: np.ndarray = (logits.var(0, ddof=1) * varied).mean(1)
    return variances


def _votes(predictions: np.ndarray, classes: int) -> np.ndarray:
    """Number of trials that predict each class, (images, classes)."""
    return np.stack([(predictions == number).sum(0) for number in range(classes)], 1)
