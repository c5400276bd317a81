"""Comparisons in distribution taken together: over all quantities, and over training seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np

from stochi.arguments import check_arguments
from stochi.errors import InputError
from stochi.parity.distribution.results import (
    VERDICTS,
    AnswerDistribution,
    Comparison,
    Distribution,
    LayerDistribution,
    Place,
    comparisons,
)
from stochi.statistics.equivalence import Equivalence, two_one_sided_tests


def as_comparison(reference: float, other: float, test: Equivalence) -> Comparison:
    """A test of equivalence, with both sides' means."""
    return Comparison({"float": reference, "chip": other}, **asdict(test))


def overall_verdict(layers: Mapping[str, LayerDistribution], network: AnswerDistribution) -> str:
    """The worst verdict of all.

    Equivalent only if everything is, which keeps the level of each test (the intersection-union
    principle: Berger, Technometrics 1982).
    """
    return max((found.verdict for _, found in comparisons(layers, network)), key=VERDICTS.index)


def combine_seeds(distributions: Sequence[Distribution]) -> Distribution:
    """Combine comparisons of models that were trained with other seeds into one.

    The seeds are the sample: Student's t over their differences, so the interval is for a network
    trained the same way with yet another seed. The values of both sides are means over the seeds.

    Args:
        distributions: of parity checks, with layers of the same names and the same margins.

    Raises:
        InputError: there are fewer than 2, or they hold other comparisons.
    """
    check_arguments(combine_seeds, locals())
    if len(distributions) < 2:
        raise InputError("an interval over training seeds needs at least 2 of them")
    first = distributions[0]
    each = [dict(comparisons(one.layers, one.network)) for one in distributions]
    same = all(one.margins == first.margins for one in distributions)
    if not same or any(list(one) != list(each[0]) for one in each):
        raise InputError("the training seeds were compared in other layers, or by other margins")
    found = {place: _over_seeds([one[place] for one in each]) for place in each[0]}
    layers = {
        name: replace(layer, **_at(("layers", name), found)) for name, layer in first.layers.items()
    }
    logit_mean = _at(("network", "logit_mean"), found)
    network = replace(first.network, **_at(("network",), found), logit_mean=logit_mean)
    return replace(
        first,
        layers=layers,
        network=network,
        verdict=overall_verdict(layers, network),
        training_seeds=len(distributions),
    )


def _at(place: Place, found: Mapping[Place, Comparison]) -> dict[str, Comparison]:
    """The comparisons directly below a place, by name."""
    return {key[-1]: value for key, value in found.items() if key[:-1] == place}


def _over_seeds(found: Sequence[Comparison]) -> Comparison:
    # A seed without a difference (relative to a silent layer) leaves the mean without one, too.
    differences = [np.nan if one.difference is None else one.difference for one in found]
    test = two_one_sided_tests(np.array(differences, float), found[0].margin)
    reference, other = (
        float(np.mean([one.sides[side] for one in found])) for side in ("float", "chip")
    )
    return as_comparison(reference, other, test)
