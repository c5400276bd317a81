"""Warnings about layers that never spike, never stop, or leave the range of their membranes.

Worst cases decide, and data if they are given. A layer is named with numbers, and with what to do.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from stochi.deploy.graph.layers import RealLayer, RealNetwork
from stochi.deploy.graph.neurons import RealNeuron
from stochi.deploy.lowering.layer import RealValues, fold_gains
from stochi.deploy.lowering.reach import (
    accumulated,
    drive_bounds,
    input_accumulation,
    membrane_reach,
    spread_outputs,
)
from stochi.errors import StochiWarning
from stochi.hardware.fixed_point import DECAY_UNITY, STATE_MAX
from stochi.hardware.quantization import ProjectionValues
from stochi.program.layers import Layer
from stochi.program.program import Program
from stochi.sim.backends import run
from stochi.sim.inputs import InOrder, check_inputs

_BATCH = 256
"""Number of samples whose membranes are held at a time."""


class RangeWarning(StochiWarning):
    """Warning that a layer never spikes, never stops, or leaves the range of its membranes."""


@dataclass(frozen=True)
class LayerRange:
    """Worst cases of a layer's membranes over a sample, in the model's units, from the reset.

    Attributes:
        layer: the layer's name.
        threshold: the largest threshold, and the smallest.
        highest: largest membrane of any neuron with all excitation, no inhibition and no spikes.
        silent: whether no neuron can reach its threshold.
        unprompted: share of the neurons that fire without input.
        unstoppable: share of the neurons that fire at every time step against all inhibition.
        reach: distance from the reset that membranes should be able to go without saturation.
        room: distance that the chip's 24 bits hold.
        steps: whole time steps of the largest inhibition that the range holds; infinite if it
            holds a sample's.
    """

    layer: str
    threshold: tuple[float, float]
    highest: float
    silent: bool
    unprompted: float
    unstoppable: float
    reach: float
    room: float
    steps: float


def layer_ranges(network: RealNetwork, program: Program) -> list[LayerRange]:
    """Return the worst cases of every layer that spikes."""
    return [
        _range_of(layer, program.layer(layer.name), program)
        for layer in network.layers
        if layer.neuron is not None and layer.neuron.threshold is not None
    ]


def warn_of_ranges(
    network: RealNetwork, program: Program, data: torch.Tensor | None = None
) -> None:
    """Warn of layers that never spike, never stop, or leave the range of their membranes.

    Args:
        network: the layers that the Program was lowered from.
        data: inputs like those that the network will see, as for ``stochi.sim.run``; they replace
            the worst case of the membranes' range.

    Raises:
        InputError: the data do not fit the Program.

    Warns:
        RangeWarning: as above.
    """
    if data is not None:
        check_inputs(program, data)
    found = layer_ranges(network, program)
    for each in found:
        problem = _never_or_always(each, each.layer == program.output)
        if problem:
            warnings.warn(f"layer {each.layer!r}: {problem}", RangeWarning, stacklevel=3)
    narrow = [each for each in found if each.reach > each.room * (1 + 1e-9)]
    shares = _saturated(program, data) if narrow and data is not None else {}
    for each in narrow:
        if shares.get(each.layer) != 0:
            warnings.warn(_leaves_range(each, program, shares), RangeWarning, stacklevel=3)


def _never_or_always(found: LayerRange, is_output: bool) -> str | None:
    largest, smallest = found.threshold
    if found.silent:
        times = ""
        if found.highest > 0:
            times = f", so it would take {smallest / found.highest:.3g} times its input"
        way_out = (
            "; to read its membranes, write the neurons as nir.LI, nir.CubaLI or nir.I"
            if is_output
            else "; check dt, r and whether weights are impulses or currents (convention=)"
        )
        return (
            f"no neuron can reach its threshold: membranes get to {found.highest:.4g} at most, and"
            f" the smallest threshold is {smallest:.4g}{times};"
            f" it never spikes{way_out}"
        )
    if found.unstoppable == 1:
        return (
            "every neuron spikes at every time step, whatever its input: its bias and leak alone"
            f" pass the threshold, {largest:.4g} at most; check dt, r and the biases"
        )
    if found.unprompted == 1:
        return (
            "every neuron spikes without input: its bias and leak alone pass the threshold,"
            f" {largest:.4g} at most; if that is not meant, check dt, v_leak and the biases"
        )
    return None


def _leaves_range(found: LayerRange, program: Program, shares: dict[str, float]) -> str:
    measured = (
        f"with the calibration data, {shares[found.layer]:.2%} of the membranes are at the end of"
        " the range"
        if shares
        else "by the worst case; inputs as calibration= or --calibration show whether that happens"
    )
    return (
        f"layer {found.layer!r}: membranes can get {found.reach:.4g} away from their reset, but the"
        f" chip's 24 bits hold {found.room:.4g} with this layer's weights, which is"
        f" {_counted(found.steps)} of {program.target.time_steps} time steps of the largest"
        f" inhibition; beyond it they forget inhibition, and spike too early ({measured}). Fewer"
        " time steps, faster decays, or a smaller ratio of inhibition to threshold avoid it"
    )


def _counted(steps: float) -> str:
    return "all" if math.isinf(steps) else f"{steps:.0f}"


def _saturated(program: Program, data: torch.Tensor) -> dict[str, float]:
    """Return the share of membranes at the end of their range, by the layer's name."""
    at_end = dict.fromkeys((layer.name for layer in program.layers), 0.0)
    samples = check_inputs(program, data)
    total = samples.shape[1]
    for start in range(0, total, _BATCH):
        part = samples[:, start : start + _BATCH]
        shown = InOrder(part[0] if len(part) == 1 else part)
        record = run(program, shown, probes=("membrane",), first_sample=start)
        for name, membrane in record.membrane.items():
            share = float((membrane.abs() >= STATE_MAX).double().mean())
            at_end[name] += share * membrane.shape[1] / total
    return at_end


@dataclass(frozen=True, eq=False)
class WorstCase:
    """Worst cases of a layer's neurons, in the model's units, each of a shape that broadcasts.

    Attributes:
        projections, bias: the layer's, with the input gain folded in.
        low: least input of one time step, ≤ 0.
        added: what the bias and the leak add in one time step.
        highest: largest membrane with all excitation, no inhibition and no spikes.
        resting: membrane without input.
    """

    projections: Sequence[ProjectionValues]
    bias: torch.Tensor
    low: np.ndarray
    added: np.ndarray
    highest: np.ndarray
    resting: np.ndarray


def worst_case(real: RealLayer, layer: Layer, program: Program) -> WorstCase:
    """Return the worst cases of a layer that spikes."""
    neuron, time_steps = real.neuron, program.target.time_steps
    assert neuron is not None
    projections, bias = fold_gains(real, layer.decay, RealValues.of(real), program.target)
    low, high = (bound.numpy() for bound in drive_bounds(real, projections))
    added = spread_outputs(bias.reshape(-1), real.shape).numpy()
    if layer.decay.programmable:  # the chip scales the input by 1 − λ
        gain = 1 - neuron.decay
        low, high, added = low * gain, high * gain, added * gain
    inputs, own = input_accumulation(neuron, time_steps), accumulated(neuron.decay, time_steps)
    if layer.decay.drawn and not layer.decay.programmable:
        inputs = own = accumulated(float(layer.decay.values.max()) / DECAY_UNITY, time_steps)
    constant = _constant_drive(real, projections, added)
    if neuron.current_decay is None:
        highest = np.maximum(high + added, 0) * inputs
    else:
        highest = np.maximum(high, 0) * inputs + np.maximum(added, 0) * own
    return WorstCase(projections, bias, low, added, highest, constant * inputs + added * own)


def _range_of(real: RealLayer, layer: Layer, program: Program) -> LayerRange:
    neuron, time_steps = real.neuron, program.target.time_steps
    assert neuron is not None and neuron.threshold is not None
    worst = worst_case(real, layer, program)
    threshold = neuron.threshold * layer.threshold_factor
    reach = membrane_reach(real, layer.decay, worst.projections, worst.bias, time_steps)
    room = STATE_MAX / layer.membrane_unit
    noisy = layer.generator is not None
    lowest = worst.low + worst.added
    return LayerRange(
        real.name,
        (float(threshold.max()), float(threshold.min())),
        float(np.max(worst.highest)),
        silent=not noisy and bool(np.all(worst.highest <= threshold)),
        unprompted=float(np.mean(worst.resting > threshold)),
        unstoppable=float(np.mean(lowest > threshold)),
        reach=reach,
        room=room,
        steps=_steps_to(room, float(np.max(-lowest)), neuron, time_steps),
    )


def _constant_drive(
    real: RealLayer, projections: Sequence[ProjectionValues], added: np.ndarray
) -> np.ndarray:
    """Return the input of one step that comes without any spikes, through a current's synapses."""
    if len(projections) == len(real.projections):
        return np.zeros_like(added)
    weight = projections[-1].weight.reshape(-1)
    return spread_outputs(weight.double(), real.shape).numpy()


def _steps_to(room: float, inhibition: float, neuron: RealNeuron, time_steps: int) -> float:
    """Return the number of time steps of an inhibition until a membrane has no room left."""
    if inhibition <= 0:
        return math.inf
    keep = float(np.max(neuron.decay))
    current_keep = 0.0 if neuron.current_decay is None else float(np.max(neuron.current_decay))
    current = depth = 0.0
    for step in range(time_steps):
        current = current_keep * current + inhibition
        depth = keep * depth + current
        if depth > room:
            return float(step)
    return math.inf
