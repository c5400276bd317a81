"""Scores of answers: right or wrong classes, or the errors of a regression."""

import torch

from stochi.data.samples import Samples
from stochi.statistics.intervals import (
    Estimate,
    estimate_accuracy,
    estimate_difference,
    estimate_mean,
)


def score_answers(answers: torch.Tensor, samples: Samples) -> torch.Tensor:
    """Score answers by the samples' labels, (samples,).

    Args:
        answers: (samples, outputs), or (time steps, samples, outputs) of a regression.

    Returns:
        Whether the largest output is the class, bool; of a regression the mean over the outputs,
        and the time steps if there are some, of the squared errors, float64.
    """
    if not samples.regression:
        return answers.argmax(1).cpu() == samples.labels.cpu()
    labels = samples.labels.cpu().double()
    errors = (answers.cpu().double() - labels.view_as(answers)).square()
    squared: torch.Tensor = errors.transpose(0, samples.label_dim).flatten(1).mean(1)
    return squared


def estimate_score(scores: torch.Tensor) -> Estimate:
    """Estimate an accuracy, or a mean squared error, with its interval over the samples.

    Args:
        scores: (trials, samples) of :func:`score_answers`.
    """
    if scores.dtype == torch.bool:
        return estimate_accuracy(scores)
    return estimate_mean(scores.mean(0), len(scores))


def estimate_score_difference(first: torch.Tensor, second: torch.Tensor) -> Estimate:
    """Estimate the mean of ``second − first`` with a paired interval over the samples.

    Args:
        first, second: (trials, samples) of :func:`score_answers`.
    """
    if first.dtype == torch.bool:
        return estimate_difference(first, second)
    return estimate_mean((second - first).mean(0), len(first))
