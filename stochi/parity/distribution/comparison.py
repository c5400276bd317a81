"""Comparison of spikes, membranes and answers of two sides, in distribution.

A random network does not have one right answer to compare, so its trials are compared: rates, their
variability, membranes, logits. Each comparison has an interval over images and a test of
equivalence within a stated margin.
"""

from dataclasses import replace

import numpy as np
import torch

from stochi.errors import InputError
from stochi.parity.distribution.answers import (
    agreement_across,
    agreement_within,
    trial_variances,
)
from stochi.parity.distribution.membranes import wasserstein_of_sides
from stochi.parity.distribution.results import (
    NEEDS_TWO_TRIALS,
    AnswerDistribution,
    Comparison,
    Distribution,
    LayerDistribution,
    Margins,
)
from stochi.parity.distribution.spikes import (
    fano_factors,
    firing_rates,
    side_distances,
    trial_distances,
)
from stochi.parity.distribution.trials import Trials
from stochi.parity.distribution.verdicts import as_comparison, overall_verdict
from stochi.statistics.equivalence import (
    Equivalence,
    ratio,
    relative_difference,
    square_root,
    two_one_sided_tests,
)

DEFAULT_MARGINS = Margins()


def compare_distributions(
    reference: Trials,
    other: Trials,
    labels: torch.Tensor,
    margins: Margins = DEFAULT_MARGINS,
) -> Distribution:
    """Compare two sides' trials, in every layer and in the answers.

    Args:
        reference, other: trials of the same number on the same images, the other's on the
            reference's grids; in a report, the float model's and the chip's.
        labels: (images,) the right classes.

    Returns:
        The comparisons. A single trial shows nothing of the spread over trials, which is then left
        out.

    Raises:
        InputError: the numbers of trials differ, or the grids.
    """
    trials = reference.trials
    if trials != other.trials:
        # Fano factors and the noise in Wasserstein distances depend on it.
        raise InputError(f"{trials} and {other.trials} trials cannot be compared; run as many")
    if reference.grids != other.grids:
        raise InputError("the membranes are on other grids; take the trials with like=reference")
    layers = {name: _compare_layer(reference, other, name, margins) for name in reference.membranes}
    compared = {name: layer for name, layer in layers.items() if layer != LayerDistribution()}
    network = _compare_answers(reference, other, labels.numpy(), margins)
    return Distribution(
        images=len(labels),
        trials=trials,
        margins=margins,
        layers=compared,
        network=network,
        left_out=() if trials > 1 else NEEDS_TWO_TRIALS,
        verdict=overall_verdict(compared, network),
    )


def compare_shares(reference: np.ndarray, other: np.ndarray, margin: float) -> Comparison:
    """Compare how often something was true on two sides.

    Args:
        reference, other: (images,) each image's share of trials, in [0, 1].
        margin: the largest difference that does not matter.
    """
    test = two_one_sided_tests(other - reference, margin, shares=True)
    return _comparison(reference, other, test)


def _compare_layer(ours: Trials, theirs: Trials, name: str, margins: Margins) -> LayerDistribution:
    several = ours.trials > 1
    rate = fano = distance = distance_across = membrane = None
    if name in ours.spikes:
        left, right = ours.spikes[name], theirs.spikes[name]
        rate = _relative(firing_rates(left), firing_rates(right), margins.rate)
        if several:
            fanos = ratio(*fano_factors(left)), ratio(*fano_factors(right))
            within = trial_distances(left), trial_distances(right)
            across = side_distances(left, right)
            fano = _relative(*fanos, margins.fano)
            distance = _relative(*within, margins.distance)
            distance_across = _relative(within[0], across, margins.distance)
    if several:
        apart = wasserstein_of_sides(ours.membranes[name], theirs.membranes[name])
        membrane = _wasserstein(*apart, margins.membrane)
    return LayerDistribution(rate, fano, distance, distance_across, membrane)


def _compare_answers(
    ours: Trials, theirs: Trials, labels: np.ndarray, margins: Margins
) -> AnswerDistribution:
    classes = ours.logits.shape[2]
    spread = float(ours.logits.std()) or 1.0
    means = [side.logits.mean(0) / spread for side in (ours, theirs)]
    right = (ours.predictions == labels).mean(0), (theirs.predictions == labels).mean(0)
    accuracy = compare_shares(*right, margins.accuracy)
    logit_mean = {
        str(number): _absolute(means[0][:, number], means[1][:, number], margins.logit_mean)
        for number in range(classes)
    }
    if ours.trials == 1:
        return AnswerDistribution(accuracy, logit_mean)
    variances = trial_variances(ours.logits), trial_variances(theirs.logits)
    within = (
        agreement_within(ours.predictions, classes),
        agreement_within(theirs.predictions, classes),
    )
    across = agreement_across(ours.predictions, theirs.predictions, classes)
    return AnswerDistribution(
        accuracy,
        logit_mean,
        logit_spread=_spread(*variances, margins.logit_spread),
        agreement=compare_shares(*within, margins.agreement),
        agreement_across=compare_shares(within[0], across, margins.agreement),
    )


def _relative(reference: np.ndarray, other: np.ndarray, margin: float) -> Comparison:
    test = two_one_sided_tests(relative_difference(reference, other), margin)
    return _comparison(reference, other, test)


def _absolute(reference: np.ndarray, other: np.ndarray, margin: float) -> Comparison:
    return _comparison(reference, other, two_one_sided_tests(other - reference, margin))


def _spread(reference: np.ndarray, other: np.ndarray, margin: float) -> Comparison:
    """Comparison of variances, as standard deviations."""
    growth = square_root(relative_difference(reference, other) + 1) - 1
    test = two_one_sided_tests(growth, margin)
    return _comparison(square_root(reference), square_root(other), test)


def _wasserstein(within: np.ndarray, across: np.ndarray, margin: float) -> Comparison:
    """Comparison of Wasserstein distances: those across the sides with those within them.

    Noise as large as the distance between the distributions hides it from that difference. The
    distance across is never too small on average, so "equivalent" also needs that to be within the
    margin.
    """
    beyond, whole = (
        two_one_sided_tests(across - within, margin),
        two_one_sided_tests(across, margin),
    )
    verdict = beyond.verdict
    if verdict == "equivalent" != whole.verdict:
        verdict = "undecided"
    p_value = max(beyond.p_value, whole.p_value)
    return _comparison(within, across, replace(beyond, verdict=verdict, p_value=p_value))


def _comparison(reference: np.ndarray, other: np.ndarray, test: Equivalence) -> Comparison:
    return as_comparison(float(reference.mean()), float(other.mean()), test)
