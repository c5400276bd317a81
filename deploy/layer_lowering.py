"""One layer, in real numbers, on a chip: which neuron it takes, and its numbers on the grid."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from stochi.deploy.program import (
    CONSTANT,
    INPUT,
    Decay,
    Layer,
    OneToOne,
    Stage,
    Synapses,
    Weighted,
)
from stochi.deploy.real_layers import RealLayer
from stochi.deploy.real_neurons import RealNeuron
from stochi.deploy.stand_in import StandIn
from stochi.errors import LoweringError
from stochi.hardware.chips import Chip
from stochi.hardware.decays import MAX_TABLE_BITS, decay_table, quantize_decay
from stochi.hardware.fixed_point import CURRENT_KEEP_MAX, DECAY_UNITY
from stochi.hardware.merging import merge_values
from stochi.hardware.quantization import QuantizedLayer, SynapseValues, quantize_layer


class MergedDecays(UserWarning):
    """A layer has fewer distinct decays on the chip than in the graph."""


class MergedThresholds(UserWarning):
    """A layer has fewer distinct thresholds on the chip than its rounded ones would be."""


def quantize_real_layer(
    layer: RealLayer,
    form: Decay,
    weights: Sequence[torch.Tensor],
    bias: torch.Tensor,
    threshold: torch.Tensor,
    *,
    steps: int,
    input_levels: int,
    chip: Chip,
    stand_in: StandIn | None = None,
    warn: bool = True,
) -> QuantizedLayer:
    """Quantize a layer with these values of its weights, bias and thresholds.

    The hardware-aware model calls this with its own, current ones. ``threshold`` is empty for
    neurons that never spike. The gain of a stock neuron is folded into weights and bias here.
    Neurons with synaptic memory get their bias through synapses of their own, the last. A stand-in
    for drawn decays sets the scale and moves the thresholds. Thresholds that differ once they are
    rounded are merged where a core of the chip holds fewer.

    Warns:
        MergedThresholds: that happened; not with ``warn`` false.
    """
    gain = channel_gain(layer.neuron, form)
    factor = torch.ones((), dtype=torch.float64) if gain is None else torch.from_numpy(gain)
    bias = bias.double() * factor.to(bias.device)
    values = []
    for path, weight in zip(layer.synapses, weights, strict=True):
        one_to_one = isinstance(_weighted(path.stages), OneToOne)
        dimensions = len(layer.shape) if one_to_one else weight.dim()
        if factor.dim() and not one_to_one and len(factor) != len(weight):
            raise LoweringError(
                f"neuron {layer.name!r}: its input gain differs between neurons that share the"
                f" weights of {path.weight_node!r}; give them one time constant and resistance"
            )
        by_output = factor.to(weight.device).reshape((-1,) + (1,) * (dimensions - 1))
        folded = weight.double() * (by_output if factor.dim() else factor)
        levels = input_levels if path.source == INPUT else 1
        values.append(
            SynapseValues(
                folded.reshape(-1, 1) if one_to_one else folded,
                float(levels * path.pooled),
                levels * path.summed,
            )
        )
    if _has_bias_synapses(layer, bias):
        values.append(SynapseValues(bias.reshape(-1, 1), 1.0, 1))
        bias = torch.zeros_like(bias)
    quantized = quantize_layer(
        layer.name,
        values,
        bias,
        threshold if stand_in is None else threshold * stand_in.threshold_factor,
        headroom=_headroom(layer.neuron, steps),
        scale=None if stand_in is None else stand_in.scale,
    )
    if chip.thresholds is None:
        return quantized
    exact = quantized.threshold_mantissa.cpu().numpy()
    merged = merge_values(exact, chip.thresholds)
    if merged is exact:
        return quantized
    if warn:
        _warn_of_thresholds(layer.name, exact, merged, chip)
    kept = torch.from_numpy(merged).to(quantized.threshold_mantissa.device)
    return replace(quantized, threshold_mantissa=kept)


def _warn_of_thresholds(name: str, exact: np.ndarray, merged: np.ndarray, chip: Chip) -> None:
    moved = np.abs(merged / exact - 1).max()
    warnings.warn(
        f"layer {name!r}: its {len(np.unique(exact)):,} distinct thresholds are merged into"
        f" {len(np.unique(merged))}, which is what a core of {chip.name} can hold; a threshold"
        f" moves by {moved:.1%} at most",
        MergedThresholds,
        stacklevel=4,
    )


def choose_decay(layer: RealLayer, chip: Chip, noise: str) -> Decay:
    """Which neuron the layer needs, and its membrane's decays.

    A drawn decay with coupled gain, or a gain that differs within a channel, takes a
    programmable neuron; all else is Loihi's stock neuron with the gain in the weights.

    Raises:
        LoweringError: the chip has no such neuron.

    Warns:
        MergedDecays: the layer's own decays are more than the chip can tell apart.
    """
    neuron = layer.neuron
    if neuron is None:
        return Decay(quantize_decay(1.0), drawn=False, redraw=False, programmable=False)
    random = neuron.random if noise == "decay" else None
    if random is not None:
        bits = random.bits or MAX_TABLE_BITS
        if not chip.programmable_neuron:
            raise LoweringError(
                f"neuron {layer.name!r} draws its decay, which takes a programmable neuron;"
                f" {chip.name} has none: choose chip='loihi2' or noise='none'"
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
            f"neuron {layer.name!r}: its input gain differs between neurons of one channel, which"
            f" {chip.name} can do only with a programmable neuron and a gain of 1 − decay"
        )
    return replace(decay, programmable=True)


def _merge(name: str, keep: np.ndarray, chip: Chip, most: int) -> np.ndarray:
    merged = merge_values(keep, most)
    if merged is not keep:
        moved = np.abs(merged - keep).max() / DECAY_UNITY
        warnings.warn(
            f"layer {name!r}: its {len(np.unique(keep)):,} distinct decays are merged into {most},"
            f" which is what a core of {chip.name} can hold; λ moves by {moved:.4f} at most",
            MergedDecays,
            stacklevel=4,
        )
    return merged


def channel_gain(neuron: RealNeuron | None, form: Decay) -> np.ndarray | None:
    """The gain to fold into the weights, () or (channels,); None where there is none to fold."""
    if neuron is None or form.programmable:
        return None
    return _gain_by_channel(neuron)


def _gain_by_channel(neuron: RealNeuron) -> np.ndarray | None:
    gain = neuron.gain
    if gain.ndim <= 1:
        return gain
    per_channel = gain.reshape(len(gain), -1)
    first = per_channel[:, 0]
    return first.copy() if np.allclose(per_channel, first[:, None], rtol=1e-9, atol=0) else None


def lower_layer(
    layer: RealLayer,
    chip: Chip,
    noise: str,
    steps: int,
    input_levels: int,
    stand_in: StandIn | None = None,
) -> Layer:
    """A layer in the chip's integers; arguments as in :func:`stochi.deploy.lower`."""
    decay = choose_decay(layer, chip, noise)
    neuron = layer.neuron
    _check_extras(layer, chip)
    threshold = None if neuron is None else neuron.threshold
    quantized = quantize_real_layer(
        layer,
        decay,
        [torch.from_numpy(np.array(path.weight)) for path in layer.synapses],
        torch.from_numpy(layer.bias),
        torch.from_numpy(np.array(np.zeros(0) if threshold is None else threshold)),
        steps=steps,
        input_levels=input_levels,
        chip=chip,
        stand_in=stand_in,
    )
    synapses = [
        Synapses(
            path.source,
            tuple(_with_weight(stage, q.weight, layer.shape) for stage in path.stages),
            q.exponent,
            path.delay,
        )
        for path, q in zip(layer.synapses, quantized.synapses, strict=False)
    ]
    if len(quantized.synapses) > len(synapses):
        q = quantized.synapses[-1]
        constant = OneToOne(_spread(_int16(q.weight), layer.shape))
        synapses.append(Synapses(CONSTANT, (constant,), q.exponent))
    return Layer(
        name=layer.name,
        shape=layer.shape,
        synapses=tuple(synapses),
        bias_mantissa=_int16(quantized.bias_mantissa),
        bias_exponent=quantized.bias_exponent,
        decay=decay,
        threshold_mantissa=None
        if threshold is None
        else quantized.threshold_mantissa.numpy().astype(np.int32),
        scale=quantized.scale,
        current_keep=None
        if neuron is None or neuron.current_decay is None
        else np.asarray(
            np.minimum(quantize_decay(neuron.current_decay), CURRENT_KEEP_MAX), np.int16
        ),
        subtract=neuron is not None and neuron.subtract,
        refractory=0 if neuron is None else neuron.refractory,
        generator=None if stand_in is None else stand_in.generator,
        threshold_factor=1.0 if stand_in is None else stand_in.threshold_factor,
    )


def _check_extras(layer: RealLayer, chip: Chip) -> None:
    """What Loihi's stock neuron does not do takes a programmable one."""
    neuron = layer.neuron
    if neuron is not None and neuron.subtract and not chip.programmable_neuron:
        raise LoweringError(
            f"neuron {layer.name!r}: reset by subtraction takes a programmable neuron; {chip.name}"
            " has none: choose chip='loihi2'"
        )


def _has_bias_synapses(layer: RealLayer, bias: torch.Tensor) -> bool:
    neuron = layer.neuron
    return neuron is not None and neuron.current_decay is not None and bool(torch.any(bias != 0))


def _headroom(neuron: RealNeuron | None, steps: int) -> float:
    """How many times a step's largest input a sample can pile up where nothing may overflow.

    That is the synaptic current, which would wrap around, and the membrane of a neuron that is
    read. A spiking membrane saturates, as on the chip.
    """
    if neuron is None:
        return float(steps)
    headroom = 1.0
    if neuron.current_decay is not None:
        headroom = _pile(neuron.current_decay, steps)
    return headroom * (_pile(neuron.decay, steps) if neuron.threshold is None else 1.0)


def _pile(decay: np.ndarray, steps: int) -> float:
    """1 + λ + λ² + …, ``steps`` terms, for the largest decay."""
    return float(np.sum(float(np.max(decay)) ** np.arange(steps)))


def readout_of(neuron: RealNeuron | None) -> str:
    """What of a read layer gives the logits, see :class:`stochi.deploy.program.Program`."""
    if neuron is None:
        return "input"
    return "membrane" if neuron.threshold is None else "spikes"


def _weighted(stages: tuple[Stage, ...]) -> Weighted:
    return next(stage for stage in stages if isinstance(stage, Weighted))


def _with_weight(stage: Stage, weight: torch.Tensor, shape: tuple[int, ...]) -> Stage:
    if isinstance(stage, OneToOne):
        return OneToOne(_spread(_int16(weight), shape))
    return replace(stage, weight=_int16(weight)) if isinstance(stage, Weighted) else stage


def _spread(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Values of all neurons, or one a channel, or one, so that they broadcast over ``shape``."""
    if values.size in (1, math.prod(shape)):
        return values.reshape(() if values.size == 1 else shape)
    return values.reshape((-1,) + (1,) * (len(shape) - 1))


def _int16(tensor: torch.Tensor) -> np.ndarray:
    return tensor.numpy().astype(np.int16)
