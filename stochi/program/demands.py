"""What a Program demands of the machine: memory, work and indices, in Python's integers.

These are bounds on what the engines allocate and add up for one sample, checked before they do.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from stochi.budget import check_memory, check_work
from stochi.errors import ProgramError
from stochi.program.fields import LARGEST_INDEX
from stochi.program.layers import (
    CONSTANT,
    INPUT,
    Convolution,
    Dense,
    Layer,
    Projection,
    Shape,
    SumPool,
    Weighted,
    as_image,
    shape_after,
)
from stochi.program.network import Network

_BY_WEIGHT, _BY_VALUE, _BY_NEURON, _BY_STEP = 16, 32, 256, 1024
"""Bytes of a weight in both engines, of a value that travels, of a neuron and of a time step."""
_BY_TAP = 48
"""Bytes of a convolution's tap while the taps are listed."""
_LISTING, _CALLING = 100, 10_000
"""Additions in the time of a step of Python, and of a layer's calls in a time step."""
_LARGEST_SIZE = 2**62


@dataclass(frozen=True)
class Demands:
    """Demands of a part of a Program.

    Attributes:
        memory: bytes.
        once: additions, or as much time, before a run.
        each_step: additions in a time step of a sample.
        largest: the largest number that must be an index or a 32-bit integer.
    """

    memory: int = 0
    once: int = 0
    each_step: int = 0
    largest: int = 0


def check_demands(network: Network) -> None:
    """Raise ProgramError unless a run of a network keeps the budgets and the indices' range.

    Its shapes must fit, and its fields be of their kinds.
    """
    steps, longest = network.target.time_steps, _longest_delays(network)
    parts = []
    for layer in network.layers:
        history = 1 + longest.get(layer.name, 0)
        own = [_of_neurons(layer, history)]
        own += [_of_projection(network, layer, projection) for projection in layer.projections]
        _check_indices(layer, own)
        parts += own
    shown = math.prod(network.input_shape)
    if shown > LARGEST_INDEX:
        raise ProgramError(
            f"input_shape has {min(shown, 10**30)} values; the engine counts to {LARGEST_INDEX}"
        )
    memory = _BY_STEP * steps + _BY_VALUE * shown + sum(part.memory for part in parts)
    check_memory(memory, "a run of this Program", ProgramError)
    work = sum(part.once + steps * part.each_step for part in parts)
    check_work(work, "a sample of this Program", ProgramError)
    if memory >= _LARGEST_SIZE:
        raise ProgramError("a run of this Program would take more than 2^62 bytes of memory")


def check_count(network: Network) -> None:
    """Raise ProgramError unless a network has few enough parts to be looked through."""
    parts = sum(
        1 + sum(1 + len(projection.stages) for projection in layer.projections)
        for layer in network.layers
    )
    check_work(_LISTING * parts**2, f"a Program of {parts} layers and stages", ProgramError)


def _check_indices(layer: Layer, parts: Iterable[Demands]) -> None:
    largest = max(part.largest for part in parts)
    if largest > LARGEST_INDEX:
        raise ProgramError(
            f"layer {layer.name!r}: its neurons, the values that reach it or their lists take"
            f" numbers up to {min(largest, 10**30)}, more than the {LARGEST_INDEX} that the engine"
            " counts to; split the layer"
        )


def _longest_delays(network: Network) -> dict[str, int]:
    """Return the longest delay of any projection from a source, by the source's name."""
    longest: dict[str, int] = {}
    for layer in network.layers:
        for projection in layer.projections:
            before = longest.get(projection.source, 0)
            longest[projection.source] = max(before, projection.longest_delay)
    return longest


def _of_neurons(layer: Layer, history: int) -> Demands:
    neurons = layer.neurons
    return Demands(
        memory=neurons * (_BY_NEURON + history),
        each_step=_LISTING * neurons + _CALLING,
        largest=neurons,
    )


def _of_projection(network: Network, layer: Layer, projection: Projection) -> Demands:
    """Return the demands of a projection's sums.

    Sums of graded input are computed for all time steps of a stream before the loops.
    """
    shape = network.source_shape(projection, layer)
    before, graded = True, projection.source == INPUT and not network.target.events
    external = projection.source == CONSTANT or graded
    value = network.largest_value(projection.source)
    memory = _BY_VALUE * math.prod(shape) + 8 * network.target.time_steps * layer.neurons * graded
    each_step, largest, once = _CALLING, math.prod(shape), 0
    for stage in projection.stages:
        out = shape_after(stage, shape)
        assert out is not None
        places = math.prod(out)
        if isinstance(stage, SumPool):
            area = math.prod(stage.kernel)
            memory += _BY_VALUE * (places + _padded(stage, shape))
            each_step += places * area
            value *= area if before else 1
        elif isinstance(stage, Weighted):
            part = _of_weights(stage, shape, out, 1 if external else value)
            memory, once = memory + part.memory, once + part.once
            each_step, largest = each_step + part.each_step, max(largest, part.largest, value)
            before = False
        each_step += _CALLING
        largest, shape = max(largest, places), out
    return Demands(memory, once, each_step, largest)


def _padded(stage: SumPool, shape: Shape) -> int:
    """Return the number of places of a padded map."""
    sides = (side + 2 * pad for side, pad in zip(shape[1:], stage.padding, strict=True))
    return shape[0] * math.prod(sides)


def _of_weights(stage: Weighted, shape: Shape, out: Shape, value: int) -> Demands:
    """Return the demands of weights on values of up to ``value``, each added as often as it is."""
    arriving, places = math.prod(shape), math.prod(out)
    memory = _BY_WEIGHT * stage.weight.size + 4 * arriving * value + _BY_VALUE * places
    if isinstance(stage, Dense):
        return Demands(memory, 0, arriving * places * value, arriving * value)
    if not isinstance(stage, Convolution):
        return Demands(memory + _BY_WEIGHT * arriving, 0, arriving * value, arriving * value)
    _, height, width = as_image(shape)
    _, inputs, kernel_height, kernel_width = stage.weight.shape
    positions = places // len(stage.weight)
    rows = inputs * kernel_height * kernel_width
    gathered = stage.groups * positions * rows
    meetings = (
        kernel_height * min(height, as_image(out)[1]) * kernel_width * min(width, as_image(out)[2])
    )
    searched = height * kernel_height + width * kernel_width
    listed = searched + height * width + meetings
    return Demands(
        memory=memory + gathered * (16 + 4 * value) + _BY_TAP * listed,
        once=_LISTING * listed,
        each_step=places * rows * value,
        largest=max(rows * value, 2 * meetings + height * width, arriving * value),
    )
