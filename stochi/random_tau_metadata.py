"""How a NIR node says that its time constant is random: a note that others may ignore.

The NIR node itself is the LIF with the mean τ; ``node.metadata["random_tau"]`` holds what
:class:`RandomTau` holds. NIR stores nested dictionaries of strings and numbers.
"""

import math
from dataclasses import asdict, dataclass

import nir

from stochi.errors import GraphError

METADATA_KEY = "random_tau"


@dataclass(frozen=True)
class RandomTau:
    """λ's distribution (logit-normal around ½, spread σ) and how it is drawn.

    ``sampling``: "step" or "forward". ``input_gain``: "coupled" or "mean". ``bits``: of the
    decay table; 0 leaves the choice to the lowering.
    """

    sigma: float
    sampling: str
    input_gain: str
    bits: int = 0
    distribution: str = "logit-normal"


def describe(random_tau: RandomTau) -> dict[str, dict[str, float | str]]:
    """The metadata of a random-τ node."""
    return {METADATA_KEY: asdict(random_tau)}


def read_random_tau(name: str, node: nir.NIRNode) -> RandomTau | None:
    """The node's distribution, or None for an ordinary node.

    Raises:
        GraphError: the metadata is there and makes no sense.
    """
    noted = node.metadata.get(METADATA_KEY) if isinstance(node.metadata, dict) else None
    if noted is None:
        return None
    try:
        random_tau = RandomTau(
            sigma=float(noted["sigma"]),
            sampling=str(noted["sampling"]),
            input_gain=str(noted["input_gain"]),
            bits=int(noted["bits"]),
            distribution=str(noted["distribution"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise GraphError(f"node {name!r}: metadata 'random_tau' is incomplete: {error}") from error
    known = (
        random_tau.distribution == "logit-normal"
        and random_tau.sampling in ("step", "forward")
        and random_tau.input_gain in ("coupled", "mean")
        and math.isfinite(random_tau.sigma)
        and random_tau.sigma >= 0
        and 0 <= random_tau.bits <= 8
    )
    if not known:
        raise GraphError(f"node {name!r}: metadata 'random_tau' has unknown values: {random_tau}")
    return random_tau
