"""What Lava's own Dense, Conv and LIF can express of a Program; Lava itself is not needed here."""

import numpy as np

from stochi.errors import LoweringError
from stochi.hardware.fixed_point import GRADED_INPUT_MAX, STATE_MAX
from stochi.program.layers import (
    CONSTANT,
    INPUT,
    Convolution,
    Dense,
    Flatten,
    Layer,
    Projection,
    SumPool,
    shape_after,
)
from stochi.program.network import Network

_MAX_GROUPS = 127


def check_synapses(network: Network) -> None:
    """Raise LoweringError, naming the layer, if stock Lava lacks one of a Program's connections."""
    stock_delays(network)
    for layer in network.layers:
        for projection in layer.projections:
            if projection.source == CONSTANT:
                continue
            _check_stages(network, layer, projection)


def stock_delays(network: Network) -> dict[str, int]:
    """Return the time steps that each layer runs late: the stock synapses between it and the input.

    Raises:
        LoweringError: stock Lava does not have such connections.
    """
    delays = {INPUT: 0}
    for layer in network.layers:
        found = set()
        for projection in layer.projections:
            own = projection.source == layer.name
            if projection.source == CONSTANT:
                continue
            if projection.source not in delays and not own:
                raise cannot(layer, f"feedback from {projection.source!r}")
            if projection.longest_delay != own:
                raise cannot(layer, "axonal delays")
            if not own:
                hops = sum(not isinstance(stage, Flatten) for stage in projection.stages)
                found.add(delays[projection.source] + hops)
        if len(found) != 1:
            raise cannot(layer, "inputs over paths of different length")
        delays[layer.name] = found.pop()
    del delays[INPUT]
    return delays


def what_the_neuron_lacks(layer: Layer) -> str | None:
    """Return what Lava's LIF lacks for a layer's neurons, as the end of a sentence, else None."""
    decay = layer.decay
    keeps = (decay.values, layer.current_keep, layer.threshold_mantissa)
    if layer.generator is not None:
        return "noise"
    if any(projection.source == CONSTANT for projection in layer.projections):
        return "bias on the current"
    if decay.drawn or decay.programmable:
        return "drawn decays, or an input gain of 1 − decay"
    if any(values is not None and values.ndim for values in keeps):
        return "decays or thresholds that differ between neurons"
    if layer.resets_in_microcode or layer.refractory:
        return "reset other than to 0 at the spike, and no refractory period"
    return None


def cannot(layer: Layer, what: str) -> LoweringError:
    """Return the error that stock Lava lacks something."""
    return LoweringError(f"layer {layer.name!r}: stock Lava has no {what}; use backend='lava'")


def _check_stages(network: Network, layer: Layer, projection: Projection) -> None:
    binary = projection.source != INPUT or network.target.events
    shape = network.source_shape(projection, layer)
    for stage in projection.stages:
        after = shape_after(stage, shape)
        if isinstance(stage, Convolution | SumPool):
            if len(shape) != 3:
                raise cannot(layer, "1-d convolutions")
            weight = window_weight(stage, shape[0])
            groups = stage.groups if isinstance(stage, Convolution) else shape[0]
            if groups > _MAX_GROUPS:
                raise cannot(layer, f"{groups} groups (at most {_MAX_GROUPS})")
            rows = np.abs(weight.astype(np.int64)).reshape(len(weight), -1)
            largest = int(rows.sum(1).max()) * GRADED_INPUT_MAX
            if not binary and largest > STATE_MAX:
                raise cannot(layer, f"sums of {largest} in its Conv, which clips them")
        elif not isinstance(stage, Dense | Flatten):
            raise cannot(layer, "one-to-one synapses")
        binary = binary and isinstance(stage, Flatten)
        assert after is not None
        shape = after


def window_weight(stage: Convolution | SumPool, channels: int) -> np.ndarray:
    """Return the kernel of a convolution, or that of a sum pooling as one of as many groups."""
    if isinstance(stage, SumPool):
        return np.ones((channels, 1, *stage.kernel), np.int32)
    return stage.weight
