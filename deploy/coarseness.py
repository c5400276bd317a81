"""Warnings about layers in which a few large weights take the chip's 8 bits from all others.

A layer's weights share one scale, which its largest weight sets. Rows of weights that are small
beside it keep few levels or none, whatever their own threshold is.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np

from stochi.deploy.graph.layers import RealLayer, RealNetwork
from stochi.deploy.ranges import worst_case
from stochi.errors import StochiWarning
from stochi.hardware.chips import Chip, find_chip
from stochi.hardware.fixed_point import WEIGHT_MIXED_MAX
from stochi.program.layers import Layer, OneToOne
from stochi.program.program import Program

LOST = 0.25
"""Share of a row's size, as a root of squares, from which rounding has changed the row."""
ROWS = 0.1
"""Share of a layer's rows from which such rows are worth a warning."""


class CoarseWeights(StochiWarning):
    """Warning that rounding to 8 bits changes many weights of a layer, since a few are large."""


@dataclass(frozen=True)
class Coarseness:
    """Rows of weights that could make their neurons spike, and that rounding changes.

    Attributes:
        layer: the layer's name.
        rows: number of the layer's rows, one for each neuron or channel.
        changed: number of those that lose more than :data:`LOST` of their size in rounding.
        empty: number of those of which nothing is left.
        largest: the layer's largest weight.
        usual: median of the rows' largest weights.
        mantissa: the layer's largest mantissa on the chip.
        chip: the chip.
    """

    layer: str
    rows: int
    changed: int
    empty: int
    largest: float
    usual: float
    mantissa: int
    chip: Chip


def warn_of_coarse_weights(network: RealNetwork, program: Program) -> None:
    """Warn of layers whose largest weights leave no bits for many others.

    Args:
        network: the layers that the Program was lowered from.
        program: the Program.

    Warns:
        CoarseWeights: as above.
    """
    for real in network.layers:
        if real.neuron is None or real.neuron.threshold is None:
            continue
        found = measure_coarseness(real, program.layer(real.name), program)
        if found.changed > ROWS * found.rows:
            warnings.warn(_words(found), CoarseWeights, stacklevel=3)


def measure_coarseness(real: RealLayer, layer: Layer, program: Program) -> Coarseness:
    """Return what rounding does to the rows of a layer that spikes."""
    assert real.neuron is not None and real.neuron.threshold is not None
    worst = worst_case(real, layer, program)
    pairs = [
        (values.weight.detach().double().flatten(1).numpy(), projection.weight.astype(np.float64))
        for values, projection in zip(worst.projections, layer.projections, strict=False)
        if not any(isinstance(stage, OneToOne) for stage in projection.stages)
    ]
    rows = len(pairs[0][0]) if pairs else real.shape[0]
    size, lost, kept, largest = np.zeros((4, rows))
    for weight, mantissas in pairs:
        integers = mantissas.reshape(len(mantissas), -1)
        if len(weight) != rows or integers.shape != weight.shape:
            continue
        # One number, the scale that all rows share.
        unit = float((weight * integers).sum() / max((integers**2).sum(), 1.0))
        size += (weight**2).sum(1)
        lost += ((integers * unit - weight) ** 2).sum(1)
        kept += np.abs(integers).sum(1)
        largest = np.maximum(largest, np.abs(weight).max(1))
    threshold = real.neuron.threshold * layer.threshold_factor
    spiking = np.broadcast_to(worst.highest > threshold, real.shape)
    matters = spiking.reshape(rows, -1).any(1) & (size > 0)
    changed = matters & (lost > LOST**2 * size)
    return Coarseness(
        real.name,
        rows,
        int(changed.sum()),
        int((changed & (kept == 0)).sum()),
        float(np.max(largest)),
        float(np.median(largest)),
        max(int(np.abs(projection.weight).max()) for projection in layer.projections),
        find_chip(program.target.chip),
    )


def _words(found: Coarseness) -> str:
    lost = (
        f"{found.changed} of {found.rows} rows of weights that can reach their threshold lose more"
        f" than {LOST:.0%} of their size in rounding, and {found.empty} of them round to zero."
    )
    if found.chip.shifts_each_weight and found.mantissa <= WEIGHT_MIXED_MAX // 2:
        bits = found.chip.synaptic_sum_max.bit_length()
        return (
            f"layer {found.layer!r}: one step's synaptic sum has {bits} bits and a sign on"
            f" {found.chip.name}, which leaves weights of so many inputs mantissas up to"
            f" {found.mantissa}: {lost} Give the neurons fewer inputs, prune, or choose another"
            " chip"
        )
    times = found.largest / found.usual if found.usual else math.inf
    return (
        f"layer {found.layer!r}: its largest weight, {found.largest:.4g}, sets the scale of the"
        f" chip's 8-bit weights and is {times:.3g} times that of a usual row: {lost} Clip large"
        " weights before fine-tuning, bring neurons to like thresholds (weights, bias and threshold"
        " of a neuron divided by one number leave its spikes as they are), or prune"
    )
