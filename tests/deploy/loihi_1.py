"""A Loihi 1 in Python's integers, from public descriptions of the chip and not from Lava's model.

After nengo-loihi (what wraps at how many bits, what saturates), Brian2Loihi (every weight shifted
and clipped by itself) and NxTF (two neurons for one that subtracts).
"""

from collections.abc import Iterator

import numpy as np

from stochi.program.layers import CONSTANT, INPUT, Dense, Layer, Projection
from stochi.program.program import Program


def wrapped(value: int, bits: int) -> int:
    """Return the value in two's complement of ``bits`` bits and a sign."""
    return (value + 2**bits) % 2 ** (bits + 1) - 2**bits


def actual_weight(mantissa: int, exponent: int) -> int:
    """Return the weight that the chip adds."""
    whole = mantissa << exponent if exponent >= 0 else mantissa >> -exponent
    limit = 2**21 - 2**6
    return max(-limit, min(limit, whole << 6))


class Loihi1:
    """The chip, running one sample of a Program of dense layers.

    Attributes:
        sums: synaptic sums of the last time step before they wrap, by the layer's name.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.sums: dict[str, list[int]] = {}
        self.current, self.membrane, self.fired, self.waiting = (
            {layer.name: [0] * layer.neurons for layer in program.layers} for _ in range(4)
        )

    def run(self, frames: np.ndarray) -> Iterator[dict[str, tuple[list[int], list[int]]]]:
        """Yield spikes and membranes of every layer, at each time step."""
        for frame in frames:
            sent = {INPUT: [int(x) for x in frame]}
            seen = {}
            for layer in self.program.layers:
                membranes = self.step(layer, sent)
                sent[layer.name] = self.fired[layer.name]
                seen[layer.name] = (list(sent[layer.name]), membranes)
            yield seen

    def step(self, layer: Layer, sent: dict[str, list[int]]) -> list[int]:
        name, pair = layer.name, layer.reset == "subtract"
        keep = np.broadcast_to(layer.decay.values, layer.shape)
        bias = np.broadcast_to(layer.bias(), layer.shape)
        held = 0 if layer.current_keep is None else layer.current_keep
        current_keep = np.broadcast_to(held, layer.shape)
        mantissa = layer.threshold_mantissa
        self.sums[name], membranes = [], []
        for n in range(layer.neurons):
            total = sum(inputs(projection, n, sent) for projection in layer.projections)
            threshold = None if mantissa is None else int(np.broadcast_to(mantissa, layer.shape)[n])
            if pair and self.fired[name][n]:
                assert threshold is not None
                total -= actual_weight(*as_synapse(threshold))
            self.sums[name].append(total)
            current = decayed(self.current[name][n], int(current_keep[n])) + wrapped(total, 21)
            self.current[name][n] = current = wrapped(current, 23)
            drive = wrapped(current + int(bias[n]), 23)
            membrane = decayed(self.membrane[name][n], int(keep[n])) + drive
            membrane = max(1 - 2**23, min(2**23 - 1, membrane))
            if self.waiting[name][n]:
                membrane = 0
            spike = threshold is not None and membrane > threshold << 6
            self.waiting[name][n] = max(0, self.waiting[name][n] - 1)
            if spike:
                self.waiting[name][n] = layer.refractory
            self.fired[name][n] = int(spike)
            if spike and not pair:
                membrane = 0
            self.membrane[name][n] = membrane
            membranes.append(membrane)
        return membranes


def inputs(projection: Projection, neuron: int, sent: dict[str, list[int]]) -> int:
    """Return what one projection adds to one neuron's synaptic sum."""
    exponent = projection.weight_exponent
    if projection.source == CONSTANT:
        weight = np.broadcast_to(projection.weight.reshape(-1), (max(projection.weight.size, 1),))
        return actual_weight(int(weight[neuron % len(weight)]), exponent)
    (stage,) = projection.stages
    assert isinstance(stage, Dense)
    active = zip(stage.weight[neuron].tolist(), sent[projection.source], strict=True)
    return sum(actual_weight(w, exponent) for w, spike in active if spike)


def as_synapse(threshold: int) -> tuple[int, int]:
    """Return a threshold as the (mantissa, exponent) of one weight."""
    exponent = next(e for e in range(8) if threshold >> e <= 255 and not threshold & (2**e - 1))
    return threshold >> exponent, exponent


def decayed(state: int, keep: int) -> int:
    magnitude = abs(state) * keep >> 12
    return magnitude if state >= 0 else -magnitude
