"""Lowering of one layer: the neuron that it takes on the chip, and its integers."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from stochi.deploy.graph.layers import RealLayer
from stochi.deploy.graph.neurons import RealNeuron
from stochi.deploy.graph.paths import RealProjection
from stochi.deploy.lowering.reach import membrane_reach
from stochi.deploy.lowering.reset import choose_reset, subtracts_by_synapse
from stochi.deploy.lowering.stand_in import StandIn
from stochi.errors import LoweringError, StochiWarning
from stochi.hardware.broadcasting import over_neurons
from stochi.hardware.chips import Chip, find_chip
from stochi.hardware.decays import MAX_TABLE_BITS, decay_table, quantize_decay
from stochi.hardware.fixed_point import CURRENT_KEEP_MAX, DECAY_UNITY
from stochi.hardware.merging import merge_values
from stochi.hardware.quantization import (
    ProjectionValues,
    QuantizedLayer,
    Room,
    as_one_weight,
    quantize_layer,
)
from stochi.program.layers import (
    CONSTANT,
    INPUT,
    Decay,
    Generator,
    Layer,
    OneToOne,
    Projection,
    Stage,
    Weighted,
)
from stochi.program.target import Target


@dataclass(frozen=True)
class RealValues:
    """Real values of a layer's parameters.

    Attributes:
        weights: weights of each projection.
        bias: sum of the biases of all projections, of shape (1,), (channels,) or the neurons'.
        threshold: thresholds; a tensor without elements for neurons that never spike.
    """

    weights: Sequence[torch.Tensor]
    bias: torch.Tensor
    threshold: torch.Tensor

    @staticmethod
    def of(layer: RealLayer) -> "RealValues":
        """Return the values in the graph."""
        threshold = None if layer.neuron is None else layer.neuron.threshold
        return RealValues(
            [torch.from_numpy(np.array(path.weight)) for path in layer.projections],
            torch.from_numpy(layer.bias),
            torch.from_numpy(np.array(np.zeros(0) if threshold is None else threshold)),
        )


class MergedDecays(StochiWarning):
    """Warning that a layer has fewer distinct decays on the chip than in the graph."""


class MergedThresholds(StochiWarning):
    """Warning that a layer has fewer distinct thresholds on the chip than after rounding."""


def quantize_real_layer(
    layer: RealLayer,
    form: Decay,
    values: RealValues,
    target: Target,
    stand_in: StandIn | None = None,
    *,
    warn: bool = True,
) -> QuantizedLayer:
    """Quantize a layer with the given values of its weights, bias and thresholds.

    The twin calls this with its current values. The gain of a stock neuron is folded into weights
    and bias here. Neurons with synaptic memory get their bias through a separate projection, the
    last one. A stand-in for drawn decays sets the scale and multiplies the thresholds. Rounded
    thresholds are merged if a core of the chip holds fewer distinct ones. The chip's limits of sums
    and weights bound the scale.

    Args:
        form: the neuron that the layer takes, from :func:`choose_decay`.
        stand_in: fitted noise in place of drawn decays.
        warn: whether to warn about merged thresholds.

    Raises:
        LoweringError: the layer does not fit the chip.

    Warns:
        MergedThresholds: thresholds were merged.
    """
    projections, bias = fold_gains(layer, form, values, target, stand_in)
    threshold, chip = values.threshold, find_chip(target.chip)
    room = Room(
        _headroom(layer.neuron, target.time_steps, chip),
        membrane_reach(layer, form, projections, bias, target.time_steps),
        chip,
        by_synapse=subtracts_by_synapse(layer, chip),
    )
    quantized = quantize_layer(
        layer.name,
        projections,
        bias,
        threshold if stand_in is None else threshold * stand_in.threshold_factor,
        room=room,
        scale=None if stand_in is None else stand_in.scale,
    )
    return _merge_thresholds(layer.name, quantized, room, warn)


def fold_gains(
    layer: RealLayer,
    form: Decay,
    values: RealValues,
    target: Target,
    stand_in: StandIn | None = None,
) -> tuple[list[ProjectionValues], torch.Tensor]:
    """Fold the input gain of a stock neuron into its weights and bias.

    The bias also takes away the mean of a stand-in's noise.

    Returns:
        The projections, with one for the bias of neurons with synaptic memory as the last; and what
        the chip's own bias adds to the membranes in every time step, the leak included.
    """
    gain = channel_gain(layer.neuron, form)
    factor = torch.ones((), dtype=torch.float64) if gain is None else torch.from_numpy(gain)
    bias = values.bias.double() * _over_bias(factor, values.bias, layer.shape)
    mean_noise = 0.0 if stand_in is None else stand_in.mean_noise
    if noise_enters_memory(layer.neuron, None if stand_in is None else stand_in.generator):
        bias, mean_noise = bias - mean_noise, 0.0
    projections = [
        _fold_gain(layer, path, weight, factor, target)
        for path, weight in zip(layer.projections, values.weights, strict=True)
    ]
    if _has_bias_projection(layer, bias):
        projections.append(ProjectionValues(bias.reshape(-1, 1), 1.0, 1))
        bias = torch.zeros_like(bias)
    bias = bias - mean_noise
    leak = leak_of(layer, form)
    if leak is not None:
        if leak.ndim > 1:
            bias = over_neurons(bias, layer.shape)
        bias = bias + torch.from_numpy(leak).to(bias.device)
    return projections, bias


def noise_enters_memory(neuron: RealNeuron | None, generator: Generator | None) -> bool:
    """Return whether a generator's noise goes to currents that last longer than a time step."""
    remembers = neuron is not None and neuron.current_decay is not None
    return remembers and generator is not None and generator.target == "current"


def _over_bias(factor: torch.Tensor, bias: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Return the input gain, () or (channels,), in a shape that broadcasts over a bias."""
    spread = factor if bias.ndim == 1 else over_neurons(factor, shape)
    return spread.to(bias.device)


def _fold_gain(
    layer: RealLayer,
    path: RealProjection,
    weight: torch.Tensor,
    factor: torch.Tensor,
    target: Target,
) -> ProjectionValues:
    """Fold the input gain into a projection's weights, and note the size of its input."""
    one_to_one = isinstance(_weighted(path.stages), OneToOne)
    dimensions = len(layer.shape) if one_to_one else weight.dim()
    if factor.dim() and not one_to_one and len(factor) != len(weight):
        raise LoweringError(
            f"neuron {layer.name!r}: its input gain differs between neurons that share the"
            f" weights of {path.weight_node!r}; give them one time constant and resistance"
        )
    by_output = factor.to(weight.device).reshape((-1,) + (1,) * (dimensions - 1))
    folded = weight.double() * (by_output if factor.dim() else factor)
    levels = target.input_levels if path.source == INPUT else 1
    return ProjectionValues(
        folded.reshape(-1, 1) if one_to_one else folded,
        float(levels * path.pooled),
        levels * path.summed,
    )


def _merge_thresholds(
    name: str, quantized: QuantizedLayer, room: Room, warn: bool
) -> QuantizedLayer:
    chip = room.chip
    if chip.thresholds is None:
        return quantized
    exact = quantized.threshold_mantissa.cpu().numpy()
    merged = merge_values(exact, chip.thresholds)
    if merged is exact:
        return quantized
    kept = torch.from_numpy(merged)
    if room.by_synapse:
        kept = as_one_weight(kept)
    if warn:
        _warn_of_thresholds(name, exact, kept.numpy(), chip)
    kept = kept.to(quantized.threshold_mantissa.device)
    return replace(quantized, threshold_mantissa=kept)


def _warn_of_thresholds(name: str, exact: np.ndarray, merged: np.ndarray, chip: Chip) -> None:
    moved = np.abs(merged / exact - 1).max()
    warnings.warn(
        f"layer {name!r}: its {len(np.unique(exact)):,} distinct thresholds are merged into"
        f" {len(np.unique(merged))}, because a core of {chip.name} holds no more; a threshold"
        f" moves by {moved:.1%} at most",
        MergedThresholds,
        stacklevel=5,
    )


def choose_decay(layer: RealLayer, target: Target) -> Decay:
    """Choose the neuron that a layer needs, and its membrane's decays.

    A drawn decay with coupled gain, or a gain that differs within a channel, takes a
    programmable neuron. Any other layer takes Loihi's stock neuron, with the gain in the weights.

    Raises:
        LoweringError: the chip does not have such a neuron.

    Warns:
        MergedDecays: the layer has more distinct decays than a core of the chip holds.
    """
    neuron, chip = layer.neuron, find_chip(target.chip)
    if neuron is None:
        return Decay(quantize_decay(1.0), drawn=False, redraw=False, programmable=False)
    random = neuron.random if target.noise == "decay" else None
    if random is not None:
        bits = random.bits or MAX_TABLE_BITS
        if not chip.programmable_neuron:
            raise LoweringError(
                f"neuron {layer.name!r} draws its decay, which takes a programmable neuron;"
                f" {chip.name} has none; choose chip='loihi2' or noise='none'"
            )
        return Decay(
            decay_table(random.distribution, bits),
            drawn=True,
            redraw=random.sampling == "step",
            programmable=random.input_gain == "coupled",
        )
    keep = quantize_decay(neuron.decay)
    if chip.configurations is not None:
        keep = _merge(layer.name, keep, chip, chip.configurations)
    decay = Decay(keep, drawn=False, redraw=False, programmable=False)
    if _gain_by_channel(neuron) is not None:
        return decay
    if not np.allclose(neuron.gain, 1 - neuron.decay) or not chip.programmable_neuron:
        raise LoweringError(
            f"neuron {layer.name!r}: its input gain differs between neurons of one channel; this"
            " takes a programmable neuron (chip='loihi2') and a gain of 1 − decay"
        )
    return replace(decay, programmable=True)


def _merge(name: str, keep: np.ndarray, chip: Chip, most: int) -> np.ndarray:
    merged = merge_values(keep, most)
    if merged is not keep:
        moved = np.abs(merged - keep).max() / DECAY_UNITY
        warnings.warn(
            f"layer {name!r}: its {len(np.unique(keep)):,} distinct decays are merged into {most},"
            f" because a core of {chip.name} holds no more; λ moves by {moved:.4f} at most",
            MergedDecays,
            stacklevel=4,
        )
    return merged


def channel_gain(neuron: RealNeuron | None, form: Decay) -> np.ndarray | None:
    """Return the gain to fold into the weights, () or (channels,); None if there is none."""
    if neuron is None or form.programmable:
        return None
    return _gain_by_channel(neuron)


def leak_of(layer: RealLayer, form: Decay) -> np.ndarray | None:
    """Return what leaking to another value than 0 adds to the membranes' bias.

    A programmable neuron scales its bias by 1 − λ itself.

    Returns:
        An array of shape (), (channels,) or the neurons' own; None if the membranes leak to 0.
    """
    neuron = layer.neuron
    if neuron is None or not np.any(neuron.rest):
        return None
    leak = np.asarray(neuron.rest if form.programmable else (1 - neuron.decay) * neuron.rest)
    if leak.ndim <= 1:
        return leak
    by_channel = leak.reshape(len(leak), -1)
    if not np.allclose(by_channel, by_channel[:, :1], rtol=1e-9, atol=0):
        return leak
    return by_channel[:, 0].copy()


def _gain_by_channel(neuron: RealNeuron) -> np.ndarray | None:
    gain = neuron.gain
    if gain.ndim <= 1:
        return gain
    per_channel = gain.reshape(len(gain), -1)
    first = per_channel[:, 0]
    return first.copy() if np.allclose(per_channel, first[:, None], rtol=1e-9, atol=0) else None


def lower_layer(layer: RealLayer, target: Target, stand_in: StandIn | None = None) -> Layer:
    """Lower a layer to the chip's integers.

    Args:
        stand_in: fitted noise in place of drawn decays.

    Raises:
        LoweringError: the layer does not fit the chip.

    Warns:
        MergedDecays, MergedThresholds: a core of the chip holds fewer distinct values.
    """
    decay = choose_decay(layer, target)
    reset = choose_reset(layer, find_chip(target.chip))
    quantized = quantize_real_layer(layer, decay, RealValues.of(layer), target, stand_in)
    neuron = layer.neuron
    spikes = neuron is not None and neuron.threshold is not None
    return Layer(
        name=layer.name,
        shape=layer.shape,
        projections=_projections(layer, quantized),
        bias_mantissa=_int16(quantized.bias_mantissa),
        bias_exponent=quantized.bias_exponent,
        decay=decay,
        threshold_mantissa=quantized.threshold_mantissa.numpy().astype(np.int32)
        if spikes
        else None,
        scale=quantized.scale,
        current_keep=current_keep(neuron),
        reset=reset.name,
        reset_delay=reset.delay,
        reset_current=reset.current,
        refractory=0 if neuron is None else neuron.refractory,
        generator=None if stand_in is None else stand_in.generator,
        threshold_factor=1.0 if stand_in is None else stand_in.threshold_factor,
    )


def _projections(layer: RealLayer, quantized: QuantizedLayer) -> tuple[Projection, ...]:
    """Return the layer's projections with their mantissas; one that carries the bias is last."""
    projections = [
        Projection(
            path.source,
            tuple(with_weight(stage, q.weight, layer.shape) for stage in path.stages),
            q.exponent,
            path.delay,
        )
        for path, q in zip(layer.projections, quantized.projections, strict=False)
    ]
    if len(quantized.projections) > len(projections):
        q = quantized.projections[-1]
        constant = OneToOne(_spread(_int16(q.weight), layer.shape))
        projections.append(Projection(CONSTANT, (constant,), q.exponent))
    return tuple(projections)


def current_keep(neuron: RealNeuron | None) -> np.ndarray | None:
    if neuron is None or neuron.current_decay is None:
        return None
    keep = np.minimum(quantize_decay(neuron.current_decay), CURRENT_KEEP_MAX)
    return np.asarray(keep, np.int16)


def _has_bias_projection(layer: RealLayer, bias: torch.Tensor) -> bool:
    neuron = layer.neuron
    return neuron is not None and neuron.current_decay is not None and bool(torch.any(bias != 0))


def _headroom(neuron: RealNeuron | None, time_steps: int, chip: Chip) -> float:
    """Return how many times one time step's largest input the states of a sample may accumulate.

    The synaptic current may not overflow, because it would wrap around, nor may the membrane of
    neurons that are read. The membrane of a spiking neuron saturates otherwise, as on the chip.
    """
    if neuron is None:
        return float(time_steps)
    headroom = 1.0
    if neuron.current_decay is not None:
        decay = neuron.current_decay
        if chip.drive_max is not None:  # a bound of the Program's integers, so by their own decay
            rounded = np.minimum(quantize_decay(decay), CURRENT_KEEP_MAX) / DECAY_UNITY
            decay = np.maximum(decay, rounded)
        headroom = _accumulated(decay, time_steps)
    read = neuron.threshold is None or neuron.membrane_is_read
    return headroom * (_accumulated(neuron.decay, time_steps) if read else 1.0)


def _accumulated(decay: np.ndarray, time_steps: int) -> float:
    """Return 1 + λ + λ² + … with ``time_steps`` terms, for the largest decay."""
    return float(np.sum(float(np.max(decay)) ** np.arange(time_steps)))


def _weighted(stages: tuple[Stage, ...]) -> Weighted:
    return next(stage for stage in stages if isinstance(stage, Weighted))


def with_weight(stage: Stage, weight: torch.Tensor, shape: tuple[int, ...]) -> Stage:
    """Return a stage with these mantissas, if it is the one with weights.

    Args:
        shape: shape of the layer.
    """
    if isinstance(stage, OneToOne):
        return OneToOne(_spread(_int16(weight), shape))
    return replace(stage, weight=_int16(weight)) if isinstance(stage, Weighted) else stage


def _spread(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Reshape one value for all neurons, per channel or per neuron to broadcast over ``shape``."""
    if values.size in (1, math.prod(shape)):
        return values.reshape(() if values.size == 1 else shape)
    return values.reshape((-1,) + (1,) * (len(shape) - 1))


def _int16(tensor: torch.Tensor) -> np.ndarray:
    return tensor.cpu().numpy().astype(np.int16)
