"""Typed results of comparisons in distribution."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Annotated

from pydantic import AfterValidator

from stochi.arguments import check_argument, plain
from stochi.errors import InputError
from stochi.parity.bounds import Margin, NotNegative, OneOf, Positive, Share, check_ends

NEEDS_TWO_TRIALS = ("fano", "distance", "distance_across", "membrane", "logit_spread", "agreement")
VERDICTS = ("equivalent", "undecided", "different")
"""From the best to the worst."""


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
        agreement: share of pairs of runs that predict the same class.
        accuracy: share of right answers, 0.005 being half a point.

    Raises:
        InputError: a margin is not a number above 0.
    """

    rate: Margin = 0.01
    fano: Margin = 0.02
    distance: Margin = 0.02
    membrane: Margin = 0.01
    logit_mean: Margin = 0.01
    logit_spread: Margin = 0.02
    agreement: Margin = 0.005
    accuracy: Margin = 0.005

    def __post_init__(self) -> None:
        for one in fields(self):
            value = plain(getattr(self, one.name), float)
            check_argument(f"the margin {one.name}", value, float)
            if not 0 < value < math.inf:
                raise InputError(f"the margin {one.name} is {value}; it must be above 0")
            object.__setattr__(self, one.name, value)


Verdict = Annotated[str, OneOf(VERDICTS)]


@dataclass(frozen=True)
class Comparison:
    """One quantity of two sides, tested for equivalence.

    Attributes:
        sides: "float" and "chip" → its mean over images; the reference comes first.
        difference, low, high, margin, p_value, verdict: as in
            :class:`stochi.statistics.equivalence.Equivalence`.
    """

    sides: Mapping[str, float]
    difference: float | None
    low: float | None
    high: float | None
    margin: NotNegative
    p_value: Share
    verdict: Verdict


def _check_comparison(found: Comparison) -> Comparison:
    """Return a comparison; a :class:`PydanticCustomError` if its interval does not hold it."""
    if found.difference is not None and found.low is not None and found.high is not None:
        check_ends(found.difference, found.low, found.high)
    return found


Compared = Annotated[Comparison, AfterValidator(_check_comparison)]


@dataclass(frozen=True)
class LayerDistribution:
    """A layer's comparisons; None for what it does not have, or one trial cannot show.

    Attributes:
        rate: spikes per neuron and time step.
        fano: Fano factor of the spike counts over trials.
        distance: Hamming distance of two trials of one side.
        distance_across: that of a trial of each side, beside the reference's own.
        membrane: Wasserstein-1 distance of the membranes across sides, beside that within them.
    """

    rate: Compared | None = None
    fano: Compared | None = None
    distance: Compared | None = None
    distance_across: Compared | None = None
    membrane: Compared | None = None


@dataclass(frozen=True)
class AnswerDistribution:
    """The network's comparisons; None for what one trial cannot show, or a regression lacks.

    Attributes:
        accuracy: share of right answers; None for a regression, as both agreements.
        logit_mean: class → its mean logit, in standard deviations of the reference's logits.
        logit_spread: standard deviation of the logits over trials.
        agreement: share of pairs of a side's runs that predict the same class.
        agreement_across: that of a run of each side, beside the reference's own.
    """

    accuracy: Compared | None
    logit_mean: Mapping[str, Compared]
    logit_spread: Compared | None = None
    agreement: Compared | None = None
    agreement_across: Compared | None = None


@dataclass(frozen=True)
class Distribution:
    """Two sides' trials on the same images, compared in every layer and in the answers.

    Attributes:
        left_out: quantities that one trial cannot show.
        verdict: the worst verdict of all comparisons.
        training_seeds: number of networks that the comparison is over; None for one network, whose
            intervals are over images.
    """

    images: Positive
    trials: Positive
    margins: Margins
    layers: Mapping[str, LayerDistribution]
    network: AnswerDistribution
    left_out: tuple[str, ...]
    verdict: Verdict
    training_seeds: Positive | None = None


Place = tuple[str, ...]
"""Where a comparison stands, such as ("layers", "lif1", "rate")."""


def comparisons(
    layers: Mapping[str, LayerDistribution], network: AnswerDistribution
) -> Iterator[tuple[Place, Comparison]]:
    """Yield every comparison with its place."""
    for name, layer in layers.items():
        for field in fields(layer):
            found = getattr(layer, field.name)
            if found is not None:
                yield ("layers", name, field.name), found
    for field in fields(network):
        found = getattr(network, field.name)
        if isinstance(found, Mapping):
            for key, entry in found.items():
                yield ("network", field.name, key), entry
        elif found is not None:
            yield ("network", field.name), found
