"""Names of what is compared in distribution, alone and in lists."""

from collections.abc import Iterator, Sequence

from stochi.parity.distribution.results import Place
from stochi.parity.words import listed

QUANTITIES = {
    "rate": "firing rate",
    "fano": "Fano factor",
    "distance": "spike distance",
    "distance_across": "spike distance across sides",
    "membrane": "membrane W1",
    "accuracy": "accuracy",
    "logit_mean": "logit, class",
    "logit_spread": "logit spread",
    "agreement": "agreement",
    "agreement_across": "agreement across sides",
}
"""Quantity → its name for people, in tables."""
_IN_LAYERS = {
    "rate": "the firing rates",
    "fano": "the Fano factors",
    "distance": "the spike distances between trials",
    "distance_across": "the spikes",
    "membrane": "the membranes",
}
_IN_THE_NETWORK = {
    "accuracy": "the accuracy",
    "logit_spread": "the spread of the logits",
    "agreement": "how often trials agree",
    "agreement_across": "the answers",
}
"""Quantity → what two sides differ in, in a sentence."""


def name_places(places: Sequence[Place]) -> str:
    """Return comparisons as a sentence lists them, the layers of a quantity together.

    An example: "the firing rates of lif1 and lif2, and the logits of classes 0 and 3".
    """
    *phrases, last = _phrases(places)
    return f"{', '.join(phrases)}, and {last}" if phrases else last


def _phrases(places: Sequence[Place]) -> Iterator[str]:
    for quantity, words in _IN_LAYERS.items():
        layers = [place[1] for place in places if place[0] == "layers" and place[2] == quantity]
        if layers:
            yield f"{words} of {listed(layers)}"
    of_network = [place[1:] for place in places if place[0] == "network"]
    classes = [place[1] for place in of_network if place[0] == "logit_mean"]
    if classes:
        yield f"the logits of class{'es' * (len(classes) > 1)} {listed(classes)}"
    for quantity, words in _IN_THE_NETWORK.items():
        if (quantity,) in of_network:
            yield words
