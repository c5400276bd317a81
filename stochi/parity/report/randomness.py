"""What a report can say of a network, or a layer, in which nothing is random."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stochi.parity.distribution.results import (
    Comparison,
    Distribution,
    LayerDistribution,
    Place,
    comparisons,
)
from stochi.parity.results import FLOAT

if TYPE_CHECKING:
    from stochi.parity.report.report import ParityReport

ACROSS = "distance_across"
ROUNDING = 1e-9
"""Spread of logits over equal trials, in which only the mean is rounded."""


def draws_nothing(report: "ParityReport") -> bool:
    """Return whether neither float model nor chip draws, so that all trials are alike.

    Several trials show it. One does not: then the chip's random numbers are counted, and the model
    gave the same answers with two seeds, or is its graph, which would draw as the chip does.
    False also if the report cannot tell.
    """
    drawn = _drawn(report)
    if drawn:
        return False
    spreads = [] if report.distribution is None else list(_spreads(report.distribution))
    if spreads:
        return max(spreads) <= ROUNDING
    asked = report.configuration
    return drawn == 0 and (report.own is not None or asked.noise != "none")


def is_judged(layer: LayerDistribution, quantity: str) -> bool:
    """Return whether a quantity of a layer has a verdict that means something.

    The spike distance across sides is measured by that of a side's own trials. If these are alike
    on both sides, nothing measures it.
    """
    if quantity != ACROSS or layer.distance is None or layer.distance_across is None:
        return True
    return layer.distance_across.difference is not None or any(layer.distance.sides.values())


def judged(distribution: Distribution) -> Iterator[tuple[Place, Comparison]]:
    """Yield every comparison that has a verdict, with its place."""
    for place, entry in comparisons(distribution.layers, distribution.network):
        if place[0] != "layers" or is_judged(distribution.layers[place[1]], place[2]):
            yield place, entry


def moved_spikes(distribution: Distribution) -> dict[str, float]:
    """Return layer → share of places where only one side spikes, of layers without a measure."""
    return {
        name: layer.distance_across.sides["chip"]
        for name, layer in distribution.layers.items()
        if layer.distance_across is not None and not is_judged(layer, ACROSS)
    }


def _drawn(report: "ParityReport") -> float | None:
    """Return the random numbers that the chip draws for a sample, None if they are not known."""
    if report.costs is None or not report.costs.layers:
        return None
    return sum(layer.random_numbers for layer in report.costs.layers)


def _spreads(distribution: Distribution) -> Iterator[float]:
    """Yield how far the trials of a side are apart, in every layer and in the answers."""
    for layer in distribution.layers.values():
        if layer.distance is not None:
            yield from layer.distance.sides.values()
        if layer.membrane is not None:
            yield layer.membrane.sides[FLOAT]
    if distribution.network.logit_spread is not None:
        yield from distribution.network.logit_spread.sides.values()
