"""The metadata of a NIR node whose time constant is random; other tools may ignore it.

The NIR node itself is the LIF with the mean τ. ``node.metadata["random_tau"]`` holds the values of
:class:`RandomTau`, with the distribution as its name and one string of its parameters, since NIR
stores nested dictionaries of strings and numbers.
"""

from dataclasses import dataclass
from typing import Any

import nir

from stochi.deploy.graph.noted import read_noted
from stochi.errors import GraphError
from stochi.hardware.distributions import DecayDistribution, make_distribution

METADATA_KEY = "random_tau"


@dataclass(frozen=True)
class RandomTau:
    """The distribution of λ, and how it is drawn.

    Attributes:
        distribution: distribution of λ.
        sampling: "step" or "forward", how long a draw lasts; "mean" draws nothing, and notes the
            distribution whose mean is learned.
        input_gain: "coupled" (1 − λ) or "mean" (1 − E[λ]).
        bits: bits of the decay table; 0 leaves the choice to the lowering.
    """

    distribution: DecayDistribution
    sampling: str
    input_gain: str
    bits: int = 0


def describe(random_tau: RandomTau) -> dict[str, dict[str, float | str]]:
    """Return the metadata of a random-τ node."""
    distribution = random_tau.distribution
    noted: dict[str, float | str] = {
        "distribution": distribution.name,
        "parameters": " ".join(map(repr, distribution.parameters)),
        "sampling": random_tau.sampling,
        "input_gain": random_tau.input_gain,
        "bits": random_tau.bits,
    }
    return {METADATA_KEY: noted}


def read_random_tau(name: str, node: nir.NIRNode) -> RandomTau | None:
    """Read the random τ of a node; None if it has no such metadata.

    Raises:
        GraphError: the metadata is incomplete or not valid.
    """
    random_tau = read_noted(name, node, METADATA_KEY, _made_of)
    if random_tau is None:
        return None
    known = (
        random_tau.sampling in ("step", "forward", "mean")
        and random_tau.input_gain in ("coupled", "mean")
        and 0 <= random_tau.bits <= 8
    )
    if not known:
        raise GraphError(f"node {name!r}: metadata 'random_tau' has unknown values: {random_tau}")
    return random_tau


def _made_of(noted: dict[str, Any]) -> RandomTau:
    parameters = tuple(float(value) for value in str(noted["parameters"]).split())
    return RandomTau(
        make_distribution(str(noted["distribution"]), parameters),
        sampling=str(noted["sampling"]),
        input_gain=str(noted["input_gain"]),
        bits=int(noted["bits"]),
    )
