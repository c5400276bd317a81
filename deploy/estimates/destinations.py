"""Number of messages that a spike of each source neuron takes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stochi.deploy.estimates.fan_out import count_fan_out
from stochi.deploy.mapping.front import map_cores
from stochi.deploy.mapping.messages import axons_of_neurons, grid_of
from stochi.deploy.mapping.results import Mapping as CoreMapping
from stochi.errors import InputError
from stochi.program.layers import CONSTANT, INPUT
from stochi.program.program import Program

Destinations = Mapping[str, int | np.ndarray]
"""Source, a layer's name or ``"input"`` → number of messages that each of its spikes takes: one for
all of its neurons, or an array of its shape."""


@dataclass(frozen=True, eq=False)
class Placement:
    """Where spikes go.

    Attributes:
        kind: "mapping", "fewest" (each layer on one core) or "given".
        destinations: source → (*source shape) int64, messages of each neuron's spike.
        blocks: layer's name → number of blocks, each with a neuron that always spikes if the layer
            has a constant source.
        words: where the numbers come from.
        mapping: the cores, if the numbers come from them.
    """

    kind: str
    destinations: dict[str, np.ndarray]
    blocks: dict[str, int]
    words: str
    mapping: CoreMapping | None = None


def choose_placement(program: Program, destinations: Destinations | None = None) -> Placement:
    """Return the given placement, else that of the mapping, else the fewest messages.

    Raises:
        InputError: given destinations are not of this Program, or fewer than it needs.
    """
    if destinations is not None:
        return given_placement(program, destinations)
    try:
        mapping = map_cores(program)
    except InputError as error:
        return fewest_placement(program, f", since it cannot be mapped: {error}")
    if not mapping.fits:
        return fewest_placement(program, f", since it does not fit: {mapping.problems[0]}")
    chip, cores = mapping.limits.chip, len(mapping.cores)
    return Placement(
        "mapping",
        axons_of_neurons(program, mapping),
        {layer.name: grid_of(mapping, layer.name).size for layer in program.layers},
        f"one for each output axon in the mapping to {cores:,} core{'s' * (cores > 1)} of {chip}"
        " ('stochi map')",
        mapping,
    )


def fewest_placement(program: Program, why: str = "") -> Placement:
    """Return the fewest messages of any placement: one to each layer that a neuron reaches.

    Args:
        program: the Program.
        why: why there is no mapping.
    """
    return Placement(
        "fewest",
        fewest_destinations(program),
        {layer.name: 1 for layer in program.layers},
        "one to each layer that a spike reaches, the fewest, as if each layer had one core" + why,
    )


def given_placement(program: Program, destinations: Destinations) -> Placement:
    """Return a placement with given numbers of messages.

    Raises:
        InputError: a source is missing or unknown, or a number is not whole, or too small.
    """
    fewest = fewest_destinations(program)
    unknown = sorted(map(str, set(destinations) - set(fewest)))
    if unknown:
        raise InputError(
            f"destinations of {', '.join(map(repr, unknown))}; this Program has {', '.join(fewest)}"
        )
    found = {
        source: _checked(source, destinations.get(source), least)
        for source, least in fewest.items()
    }
    blocks = {layer.name: 1 for layer in program.layers}
    return Placement("given", found, blocks, "as many for each spike as were given")


def fewest_destinations(program: Program) -> dict[str, np.ndarray]:
    """Return the number of layers that each neuron reaches with weights other than 0.

    Returns:
        Source → (*source shape) int64.
    """
    found = {INPUT: np.zeros(program.input_shape, np.int64)}
    found |= {layer.name: np.zeros(layer.shape, np.int64) for layer in program.layers}
    for layer in program.layers:
        reached: dict[str, np.ndarray] = {}
        for projection in layer.projections:
            if projection.source != CONSTANT:
                shape = program.source_shape(projection, layer)
                ways = count_fan_out(projection.stages, shape) > 0
                reached[projection.source] = reached.get(projection.source, False) | ways
        for source, neurons in reached.items():
            found[source] += neurons
    return found


def _checked(source: str, given: int | np.ndarray | None, least: np.ndarray) -> np.ndarray:
    """Return the given numbers, one for each neuron.

    Raises:
        InputError: they are not whole numbers, have another shape, or are less than needed.
    """
    values = np.asarray(given)
    if not np.issubdtype(values.dtype, np.integer):
        what = f"an array of {values.dtype}" if values.ndim else repr(given)
        raise InputError(
            f"destinations of {source!r} is {what}; give a whole number, or an array of them"
        )
    if values.shape not in ((), least.shape):
        raise InputError(
            f"destinations of {source!r} have shape {values.shape}; give one number, or an array of"
            f" its neurons' shape {least.shape}"
        )
    values = np.broadcast_to(values, least.shape).astype(np.int64)
    short = np.argwhere((values < least) | (values < 0))
    if len(short):
        place = tuple(short[0].tolist())
        raise InputError(
            f"destinations of {source!r} is {values[place]} for neuron {place}; it must be a whole"
            f" number from {least[place]} on, since the neuron reaches that many layers"
        )
    return values
