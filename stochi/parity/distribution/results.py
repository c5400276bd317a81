"""Typed results of comparisons in distribution."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields

from stochi.arguments import check_argument
from stochi.errors import InputError

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
        agreement: share of pairs of runs that predict the same class.
        accuracy: share of right answers, 0.005 being half a point.

    Raises:
        InputError: a margin is not a number above 0.
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
            check_argument(f"the margin {name}", value, float)
            if not 0 < value < math.inf:
                raise InputError(f"the margin {name} is {value}; it must be above 0")


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
    margin: float
    p_value: float
    verdict: str


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

    rate: Comparison | None = None
    fano: Comparison | None = None
    distance: Comparison | None = None
    distance_across: Comparison | None = None
    membrane: Comparison | None = None


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

    accuracy: Comparison | None
    logit_mean: Mapping[str, Comparison]
    logit_spread: Comparison | None = None
    agreement: Comparison | None = None
    agreement_across: Comparison | None = None


@dataclass(frozen=True)
class Distribution:
    """Two sides' trials on the same images, compared in every layer and in the answers.

    Attributes:
        left_out: quantities that one trial cannot show.
        verdict: the worst verdict of all comparisons.
        training_seeds: number of networks that the comparison is over; None for one network, whose
            intervals are over images.
    """

    images: int
    trials: int
    margins: Margins
    layers: Mapping[str, LayerDistribution]
    network: AnswerDistribution
    left_out: tuple[str, ...]
    verdict: str
    training_seeds: int | None = None


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
