"""Are the chip's spikes, membranes and answers distributed like the float model's?

A random network has no one right answer to compare, so what is compared is what its trials are
like: rates, their variability, membranes, logits. Each comparison has an interval over images and
a test of equivalence within a stated margin.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from stochi.errors import InputError
from stochi.sim.equivalence import (
    ratio,
    relative_difference,
    square_root,
    two_one_sided_tests,
)
from stochi.sim.membrane_statistics import wasserstein_of_sides
from stochi.sim.network_statistics import agreement_across, agreement_within, trial_variances
from stochi.sim.spike_statistics import (
    fano_factors,
    firing_rates,
    side_distances,
    trial_distances,
)
from stochi.sim.trials import Trials
from stochi.sim.verdicts import overall_verdict

NEEDS_TWO_TRIALS = ("fano", "distance", "distance_across", "membrane", "logit_spread", "agreement")


@dataclass(frozen=True)
class Margins:
    """The largest differences that do not matter.

    Attributes:
        rate: a layer's firing rate, relative to the reference's.
        fano: its Fano factor, relative.
        distance: the spike distance of two trials, relative.
        membrane: Wasserstein-1 beyond that of two samples of one side, in standard deviations of
            the reference's membranes.
        logit_mean: each class's mean logit, in standard deviations of the reference's logits.
        logit_spread: the logits' standard deviation over trials, relative.
        agreement: how often two runs predict the same class, in shares.
        accuracy: in shares, 0.005 being half a point.
    """

    rate: float = 0.01
    fano: float = 0.02
    distance: float = 0.02
    membrane: float = 0.01
    logit_mean: float = 0.01
    logit_spread: float = 0.02
    agreement: float = 0.005
    accuracy: float = 0.005

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 < value < math.inf:
                raise InputError(f"the margin {name} is {value}; it must be above 0")


DEFAULT_MARGINS = Margins()


def compare_distributions(
    reference: Trials,
    other: Trials,
    labels: torch.Tensor,
    margins: Margins = DEFAULT_MARGINS,
) -> dict[str, Any]:
    """Compare what two sides did over many trials, in every layer and in the answers.

    Args:
        reference, other: trials of the same number on the same images, the other's on the
            reference's grids; in a report, the float model's and the chip's.
        labels: (images,) the right classes.

    Returns:
        Plain values, as ``docs/report.md`` describes them under ``distribution``. Of 1 trial,
        nothing that is about the spread over trials can be told; it is left out.

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
    found: dict[str, Any] = {
        "images": len(labels),
        "trials": trials,
        "margins": asdict(margins),
        "layers": {name: compared for name, compared in layers.items() if compared},
        "network": _compare_answers(reference, other, labels.numpy(), margins),
        "left_out": [] if trials > 1 else list(NEEDS_TWO_TRIALS),
    }
    return {**found, "verdict": overall_verdict(found)}


def compare_shares(reference: np.ndarray, other: np.ndarray, margin: float) -> dict[str, Any]:
    """Compare how often something held on two sides, as under ``distribution`` in a report.

    Args:
        reference, other: (images,) each image's share of trials, in [0, 1].
        margin: the largest difference that does not matter.
    """
    test = two_one_sided_tests(other - reference, margin, shares=True)
    return _entry(reference, other, test.as_dict())


def _compare_layer(ours: Trials, theirs: Trials, name: str, margins: Margins) -> dict[str, Any]:
    several = ours.trials > 1
    found = {}
    if name in ours.spikes:
        left, right = ours.spikes[name], theirs.spikes[name]
        found["rate"] = _relative(firing_rates(left), firing_rates(right), margins.rate)
    if name in ours.spikes and several:
        fanos = ratio(*fano_factors(left)), ratio(*fano_factors(right))
        within = trial_distances(left), trial_distances(right)
        across = side_distances(left, right)
        found["fano"] = _relative(*fanos, margins.fano)
        found["distance"] = _relative(*within, margins.distance)
        found["distance_across"] = _relative(within[0], across, margins.distance)
    if several:
        apart = wasserstein_of_sides(ours.membranes[name], theirs.membranes[name])
        found["membrane"] = _wasserstein(*apart, margins.membrane)
    return found


def _compare_answers(
    ours: Trials, theirs: Trials, labels: np.ndarray, margins: Margins
) -> dict[str, Any]:
    classes = ours.logits.shape[2]
    spread = float(ours.logits.std()) or 1.0
    means = [side.logits.mean(0) / spread for side in (ours, theirs)]
    right = (ours.predictions == labels).mean(0), (theirs.predictions == labels).mean(0)
    found = {
        "accuracy": compare_shares(*right, margins.accuracy),
        "logit_mean": {
            str(number): _absolute(means[0][:, number], means[1][:, number], margins.logit_mean)
            for number in range(classes)
        },
    }
    if ours.trials > 1:
        variances = trial_variances(ours.logits), trial_variances(theirs.logits)
        found["logit_spread"] = _spread(*variances, margins.logit_spread)
        within = (
            agreement_within(ours.predictions, classes),
            agreement_within(theirs.predictions, classes),
        )
        across = agreement_across(ours.predictions, theirs.predictions, classes)
        found["agreement"] = compare_shares(*within, margins.agreement)
        found["agreement_across"] = compare_shares(within[0], across, margins.agreement)
    return found


def _relative(reference: np.ndarray, other: np.ndarray, margin: float) -> dict[str, Any]:
    test = two_one_sided_tests(relative_difference(reference, other), margin)
    return _entry(reference, other, test.as_dict())


def _absolute(reference: np.ndarray, other: np.ndarray, margin: float) -> dict[str, Any]:
    test = two_one_sided_tests(other - reference, margin)
    return _entry(reference, other, test.as_dict())


def _spread(reference: np.ndarray, other: np.ndarray, margin: float) -> dict[str, Any]:
    """Of variances, compared as standard deviations."""
    growth = square_root(relative_difference(reference, other) + 1) - 1
    test = two_one_sided_tests(growth, margin).as_dict()
    return _entry(square_root(reference), square_root(other), test)


def _wasserstein(within: np.ndarray, across: np.ndarray, margin: float) -> dict[str, Any]:
    """Of Wasserstein distances: what is across the sides beyond what is within them.

    Noise as large as the distance between the laws hides it from that difference. The distance
    across is never too small on average, so "equivalent" needs that to be within the margin, too.
    """
    entry = _absolute(within, across, margin)
    whole = two_one_sided_tests(across, margin)
    if entry["verdict"] == "equivalent" != whole.verdict:
        entry["verdict"] = "undecided"
    return {**entry, "p_value": max(entry["p_value"], whole.p_value)}


def _entry(reference: np.ndarray, other: np.ndarray, test: dict[str, Any]) -> dict[str, Any]:
    return {"float": float(reference.mean()), "chip": float(other.mean()), **test}
