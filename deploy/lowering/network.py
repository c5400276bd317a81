"""Lowering of a whole network for a target, with stand-ins that are known."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import nir
import numpy as np

from stochi.deploy.graph.layers import RealNetwork
from stochi.deploy.graph.neurons import RealNeuron
from stochi.deploy.lowering.layer import MergedDecays, MergedThresholds, lower_layer
from stochi.deploy.lowering.own_noise import with_own_noise
from stochi.deploy.lowering.stand_in import StandIn
from stochi.errors import GraphError, InputError, LoweringError
from stochi.hardware.chips import find_chip
from stochi.hardware.draws import check_source
from stochi.program.layers import Layer
from stochi.program.program import Program
from stochi.program.target import IMAGE_LEVELS, NOISES, Target

DEFAULT_TIME_STEPS = 8
MOST = 6
"""Largest number of problems in a message."""


class SeveralProblems(LoweringError):
    """Error that lists all that keeps a graph off a chip, the first ones if they are many.

    Attributes:
        problems: one error each.
    """

    def __init__(self, problems: Sequence[LoweringError]):
        numbered = [f"({number}) {problem}" for number, problem in enumerate(problems, 1)]
        more = f"; and {len(problems) - MOST} more" if len(problems) > MOST else ""
        super().__init__(f"{len(problems)} problems: {'; '.join(numbered[:MOST])}{more}")
        self.problems = tuple(problems)


class NoGradedInput(LoweringError):
    """Error for images as the input of a chip that takes events only."""


def make_target(
    graph: nir.NIRGraph,
    chip: str,
    noise: str,
    *,
    dt: float | None = None,
    time_steps: int | None = None,
    events: bool = False,
    random_source: str = "philox",
) -> Target:
    """Make the target of a graph; the graph's metadata replaces arguments that are not given.

    Args:
        chip, noise, dt, time_steps, events, random_source: as for :func:`stochi.deploy.lower`.

    Raises:
        GraphError: the graph is not a NIR graph.
        InputError: an argument is unknown, out of range or contradicts the graph.
        LoweringError: the chip does not take such input.
    """
    if not isinstance(graph, nir.NIRGraph):
        raise GraphError(
            f"a nir.NIRGraph is needed, but the graph has type {type(graph).__name__}; make one"
            " with stochi.export.to_nir(model, sample) or stochi.deploy.read_graph(path)"
        )
    check_noise(noise)
    chosen = find_chip(chip)
    check_source(random_source)
    dt, time_steps = find_dt(graph, dt), find_time_steps(graph, time_steps)
    if not events and not chosen.graded_spikes:
        raise NoGradedInput(
            f"{chip} has no graded spikes, so images cannot be its input; lower the graph for"
            " binary events (events=True, --events), or choose loihi2"
        )
    return Target(chip, noise, time_steps, 1 if events else IMAGE_LEVELS, dt, random_source)


def check_noise(noise: str) -> None:
    """Raise InputError unless there is noise of that name."""
    if noise not in NOISES:
        raise InputError(f"noise is {noise!r}; choose from {', '.join(NOISES)}")


def lower_network(
    network: RealNetwork, target: Target, stand_ins: Mapping[str, StandIn] | None = None
) -> Program:
    """Lower every layer to the chip's integers.

    Args:
        stand_ins: fitted noise by the layer's name.

    Raises:
        LoweringError: layers do not fit the chip; the message lists all of them.
        ProgramError: the layers' shapes do not fit each other.
    """
    known = with_own_noise(network, target, dict(stand_ins or {}))
    layers = _lowered(network, target, known)
    read = next(layer for layer in network.layers if layer.name == network.output)
    readout = readout_of(read.neuron)
    return Program(target, network.input_shape, layers, network.output, readout, network.over_time)


def _lowered(
    network: RealNetwork, target: Target, known: Mapping[str, StandIn]
) -> tuple[Layer, ...]:
    """Lower every layer; raise LoweringError with the problems of all."""
    layers, problems = [], []
    for layer in network.layers:
        try:
            layers.append(lower_layer(layer, target, known.get(layer.name)))
        except LoweringError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise SeveralProblems(problems)
    return tuple(layers)


def lower_network_like(
    program: Program, network: RealNetwork, noise: str, stand_ins: Mapping[str, StandIn]
) -> Program:
    """Lower a network for a Program's target, but with the given noise.

    Warnings about merged values are not repeated, because making the Program raised them.
    """
    with _merged_before():
        return lower_network(network, replace(program.target, noise=noise), stand_ins)


def with_stand_in(program: Program, network: RealNetwork, name: str, stand_in: StandIn) -> Program:
    """Return a Program of a network with one layer lowered anew, with another stand-in.

    Args:
        program: all of the network, or a part of it.
        name: the layer's name.

    Raises:
        LoweringError: the layer does not fit the chip.
    """
    real = next(layer for layer in network.layers if layer.name == name)
    with _merged_before():
        lowered = lower_layer(real, program.target, stand_in)
    layers = (lowered if layer.name == name else layer for layer in program.layers)
    return replace(program, layers=tuple(layers))


@contextmanager
def _merged_before() -> Iterator[None]:
    """Ignore warnings about merged values while inside, since they were raised before."""
    with warnings.catch_warnings():
        for merged in (MergedDecays, MergedThresholds):
            warnings.simplefilter("ignore", merged)
        yield


def readout_of(neuron: RealNeuron | None) -> str:
    """Return how a layer is read; see :class:`stochi.program.network.Network`.

    Args:
        neuron: the layer's neurons, or None for integrators.
    """
    if neuron is None:
        return "input"
    return "membrane" if neuron.threshold is None or neuron.membrane_is_read else "spikes"


def find_dt(graph: nir.NIRGraph, given: float | None) -> float:
    noted = _metadata(graph).get("dt")
    if noted is not None and given is not None and not np.isclose(float(noted), given):
        raise InputError(
            f"dt is {given:g} s, but the graph was made with dt = {float(noted):g} s; leave out dt"
        )
    dt = given if noted is None else float(noted)
    if dt is not None and not isinstance(dt, int | float | np.floating):
        raise InputError(f"dt is {dt!r}; it must be a number of seconds")
    if dt is None:
        raise InputError(
            "the graph does not hold the length of its time step; pass dt, the seconds per time"
            " step that it was trained with (snnTorch, lava-dl and Norse examples use 1e-4 or"
            " 1e-3), or convention, the framework that wrote it"
        )
    if not dt > 0:
        raise InputError(f"dt is {dt}; it must be more than 0 seconds")
    return dt


def find_time_steps(graph: nir.NIRGraph, given: int | None) -> int:
    found = given if given is not None else _metadata(graph).get("steps", DEFAULT_TIME_STEPS)
    if not isinstance(found, int | np.integer) or found < 1:
        raise InputError(f"time_steps is {found!r}; it must be a whole number of at least 1")
    return int(found)


def _metadata(graph: nir.NIRGraph) -> dict[str, Any]:
    return graph.metadata if isinstance(graph.metadata, dict) else {}
