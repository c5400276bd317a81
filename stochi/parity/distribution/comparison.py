"""Comparison of spikes, membranes and answers of two sides, in distribution.

A random network does not have one right answer to compare, so its trials are compared: rates, their
variability, membranes, logits. Each comparison has an interval over images and a test of
equivalence within a stated margin.
"""

from dataclasses import replace

import numpy as np
import torch

from stochi.parity.distribution.answers import (
    agreement_across,
    agreement_within,
    trial_variances,
)
from stochi.parity.distribution.image_statistics import ImageStatistics, statistics_of
from stochi.parity.distribution.membranes import wasserstein_of_sides
from stochi.parity.distribution.results import (
    NEEDS_TWO_TRIALS,
    AnswerDistribution,
    Comparison,
    Distribution,
    LayerDistribution,
    Margins,
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
        labels: (images,) the right classes, or floats, the right answers of a regression.

    Returns:
        The comparisons. A single trial shows nothing of the spread over trials, which is then left
        out; a regression has no classes to compare.

    Raises:
        InputError: the numbers of trials differ, or the grids.
    """
    return compare_statistics(statistics_of(reference, other), labels, margins)


def compare_statistics(
    found: ImageStatistics, labels: torch.Tensor, margins: Margins = DEFAULT_MARGINS
) -> Distribution:
    """Compare what two sides' trials showed of each image; see :func:`compare_distributions`."""
    layers = {name: _compare_layer(found, name, margins) for name in found.membranes}
    compared = {name: layer for name, layer in layers.items() if layer != LayerDistribution()}
    classes = None if labels.is_floating_point() else labels.numpy()
    network = _compare_answers(*found.logits, classes, margins)
    return Distribution(
        images=found.logits[0].shape[1],
        trials=found.trials,
        margins=margins,
        layers=compared,
        network=network,
        left_out=() if found.trials > 1 else NEEDS_TWO_TRIALS,
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


def _compare_layer(found: ImageStatistics, name: str, margins: Margins) -> LayerDistribution:
    rate = fano = distance = distance_across = membrane = None
    spikes = found.spikes.get(name)
    if spikes is not None:
        rate = _relative(*spikes.rate, margins.rate)
        if spikes.fano is not None and spikes.fano_count is not None:
            ours, theirs = map(ratio, spikes.fano, spikes.fano_count)
            fano = _relative(ours, theirs, margins.fano)
        if spikes.distance is not None and spikes.across is not None:
            distance = _relative(*spikes.distance, margins.distance)
            distance_across = _relative(spikes.distance[0], spikes.across, margins.distance)
            if distance_across.difference is None and not spikes.distance[1].any():
                # Trials that are all alike, on both sides, do not measure a distance.
                distance_across = replace(distance_across, verdict="undecided")
    if found.trials > 1:
        membrane = _wasserstein(*wasserstein_of_sides(*found.membranes[name]), margins.membrane)
    return LayerDistribution(rate, fano, distance, distance_across, membrane)


def _compare_answers(
    ours: np.ndarray, theirs: np.ndarray, labels: np.ndarray | None, margins: Margins
) -> AnswerDistribution:
    """Compare (trials, images, classes) logits; without labels there are no classes."""
    trials, _, classes = ours.shape
    spread = float(ours.std()) or 1.0
    means = [logits.mean(0) / spread for logits in (ours, theirs)]
    logit_mean = {
        str(number): _absolute(means[0][:, number], means[1][:, number], margins.logit_mean)
        for number in range(classes)
    }
    found = AnswerDistribution(None, logit_mean)
    if trials > 1:
        variances = trial_variances(ours), trial_variances(theirs)
        found = replace(found, logit_spread=_spread(*variances, margins.logit_spread))
    if labels is None:
        return found
    left, right = ours.argmax(2), theirs.argmax(2)
    shares = (left == labels).mean(0), (right == labels).mean(0)
    found = replace(found, accuracy=compare_shares(*shares, margins.accuracy))
    if trials == 1:
        return found
    within = agreement_within(left, classes), agreement_within(right, classes)
    across = agreement_across(left, right, classes)
    return replace(
        found,
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
