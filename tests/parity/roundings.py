"""How far a lowered layer's numbers are from the real ones, and how far rounding may put them."""

from dataclasses import dataclass

import numpy as np
import torch

from stochi.deploy.graph.layers import RealLayer
from stochi.deploy.lowering.layer import RealValues, channel_gain, fold_gains
from stochi.deploy.lowering.stand_in import StandIn
from stochi.hardware.broadcasting import over_neurons
from stochi.hardware.chips import find_chip
from stochi.hardware.decays import quantize_decay
from stochi.hardware.fixed_point import ALIGN_SHIFT, CURRENT_KEEP_MAX, DECAY_UNITY
from stochi.hardware.merging import merge_values
from stochi.hardware.quantization import ProjectionValues
from stochi.program.layers import Layer, Projection
from stochi.program.target import Target

EXACT = 1e-6
"""Float64 computes every number here to better than this, in the chip's units."""
ALIGNED = 2.0**ALIGN_SHIFT


@dataclass(frozen=True)
class Roundings:
    """A layer's real numbers, and their distances from the chip's. All tensors are float64.

    Attributes:
        weights: magnitudes of each path's real weights, gain included, in the stages' shapes.
        weight_errors: distances of the chip's weights from them.
        gain: the input gain that the chip's weights contain.
        dropped: what the right shifts of the projections' sums drop at most, in all, in units of
            the membrane.
        constant: distance of the bias that arrives through synapses, in units of the membrane.
        bias: distance of the chip's own bias, the leak included, in units of the membrane.
        threshold: distance of the threshold, in units of the membrane.
        decays: λ, or the levels that a table's decays stand for.
        current_decay: α; None without synaptic memory.
        current_decay_error: distance of the chip's α.
    """

    weights: tuple[torch.Tensor, ...]
    weight_errors: tuple[torch.Tensor, ...]
    gain: torch.Tensor
    dropped: float
    constant: torch.Tensor
    bias: torch.Tensor
    threshold: torch.Tensor
    decays: torch.Tensor
    current_decay: torch.Tensor | None
    current_decay_error: torch.Tensor


def find_roundings(real: RealLayer, layer: Layer, target: Target) -> Roundings:
    """Compare a layer's numbers in the graph with those in the Program."""
    stand_in = StandIn.of(layer)
    projections, bias = fold_gains(real, layer.decay, RealValues.of(real), target, stand_in)
    weights, errors = [], []
    for values, projection in zip(projections, layer.projections, strict=True):
        per_step = values.input_scale * 2.0**projection.weight_exponent / layer.scale
        distance = torch.from_numpy(projection.weight) - _steps(values, projection, layer)
        weights.append(values.weight.double().reshape(distance.shape).abs())
        errors.append(distance.abs() * per_step)
    constant = torch.zeros((), dtype=torch.float64)
    if len(projections) > len(real.projections):
        constant = errors[-1] * layer.membrane_unit
    wanted = over_neurons(bias, layer.shape) * layer.membrane_unit
    neuron, keep = real.neuron, layer.current_keep
    alpha = None if neuron is None or keep is None else _numbers(neuron.current_decay, layer)
    gain = channel_gain(neuron, layer.decay)
    return Roundings(
        tuple(weights[: len(real.projections)]),
        tuple(errors[: len(real.projections)]),
        _numbers(np.ones(()) if gain is None else gain, layer),
        sum(ALIGNED * (1 - 2.0 ** min(p.weight_exponent, 0)) for p in layer.projections),
        constant,
        (torch.from_numpy(layer.bias()) - wanted).abs(),
        _threshold_error(real, layer),
        _decays(real, layer),
        alpha,
        torch.zeros(()) if alpha is None else (_shares(keep, layer) - alpha).abs(),
    )


def assert_rounded(real: RealLayer, layer: Layer, target: Target) -> None:
    """Assert that every number is rounded as far as docs/arithmetic.md says, and no further."""
    found = find_roundings(real, layer, target)
    stand_in = StandIn.of(layer)
    projections, _ = fold_gains(real, layer.decay, RealValues.of(real), target, stand_in)
    for values, projection in zip(projections, layer.projections, strict=True):
        mixed = bool((values.weight > 0).any() and (values.weight < 0).any())
        grid = 2 if mixed else 1
        error = torch.from_numpy(projection.weight) - _steps(values, projection, layer)
        error = error.reshape(len(values.weight), -1)
        assert float(error.abs().max()) < grid + EXACT, (layer.name, "weight")
        assert float(error.sum(1).abs().max()) <= grid / 2 + EXACT, (layer.name, "sum of weights")
    assert float(found.bias.max()) <= 2.0**layer.bias_exponent / 2 + EXACT, (layer.name, "bias")
    assert float(found.threshold.max()) <= ALIGNED / 2 + EXACT, (layer.name, "threshold")
    _assert_decays_rounded(layer, found.decays, find_chip(target.chip).configurations)
    if found.current_decay is not None:
        largest = found.current_decay.clamp(max=CURRENT_KEEP_MAX / DECAY_UNITY)
        error = (_shares(layer.current_keep, layer) - largest).abs()
        assert float(error.max()) * DECAY_UNITY <= 0.5 + EXACT, (layer.name, "current's decay")


def _assert_decays_rounded(layer: Layer, decays: torch.Tensor, most: int | None) -> None:
    """Assert that λ is the nearest multiple of 2⁻¹², or one of the few that a core holds."""
    wanted = decays.numpy() * DECAY_UNITY
    if not layer.decay.drawn and most is not None and len(np.unique(np.rint(wanted))) > most:
        expected = merge_values(quantize_decay(decays.numpy()), most)
        assert np.array_equal(layer.decay.values, expected), (layer.name, "merged decays")
    else:
        error = np.abs(np.atleast_1d(layer.decay.values) - np.atleast_1d(wanted))
        assert error.max() <= 0.5 + EXACT, (layer.name, "decay")


def _steps(values: ProjectionValues, projection: Projection, layer: Layer) -> torch.Tensor:
    """Return a projection's real weights in steps of its mantissas, in their shape."""
    per_unit = layer.scale / 2.0**projection.weight_exponent / values.input_scale
    return values.weight.double().reshape(projection.weight.shape) * per_unit


def _threshold_error(real: RealLayer, layer: Layer) -> torch.Tensor:
    if layer.threshold_mantissa is None:
        return torch.zeros((), dtype=torch.float64)
    assert real.neuron is not None
    wanted = _numbers(real.neuron.threshold, layer) * layer.membrane_unit
    chip = over_neurons(torch.from_numpy(layer.threshold_mantissa), layer.shape)
    return (ALIGNED * chip - wanted).abs()


def _decays(real: RealLayer, layer: Layer) -> torch.Tensor:
    """Return λ, or (2^b,) the quantiles of its distribution that a table holds."""
    neuron = real.neuron
    if neuron is None:
        return torch.ones((), dtype=torch.float64)
    if not layer.decay.drawn:
        return _numbers(neuron.decay, layer)
    assert neuron.random is not None
    levels = len(layer.decay.values)
    distribution = neuron.random.distribution
    return torch.tensor([distribution.quantile((i + 0.5) / levels) for i in range(levels)]).double()


def _shares(keep: np.ndarray | None, layer: Layer) -> torch.Tensor:
    """Return 12-bit decays in [0, 1]."""
    return _numbers(keep, layer) / DECAY_UNITY


def _numbers(values: np.ndarray | None, layer: Layer) -> torch.Tensor:
    found: torch.Tensor = over_neurons(torch.from_numpy(np.array(values)).double(), layer.shape)
    return found
