"""Quantization: from real weights, biases and thresholds to a chip's mantissas and exponents.

One scale S per layer relates the chip's integers to the model's units: a synaptic sum ``a`` stands
for the current a / S, a membrane v for v / (64·S). S is free, because weights, bias and threshold
all scale with it. It is chosen so that the weights use all of their 8 bits, and so that its power
of two (the weight exponent) is as large as possible without overflow for any input. Membranes that
accumulate get a smaller one, so that their floor lies below what they can reach. What "overflow" is
differs between chips: :class:`Room` knows the chip.

The lowering and the twin both call :func:`quantize_layer`, so the deployed integers
are the trained ones.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import torch

from stochi.errors import LoweringError
from stochi.hardware.chips import CHIPS, Chip
from stochi.hardware.fixed_point import (
    ALIGN_SHIFT,
    BIAS_EXPONENT_MAX,
    BIAS_MANTISSA_MAX,
    STATE_MAX,
    THRESHOLD_MANTISSA_MAX,
    WEIGHT_EXPONENT_MAX,
    WEIGHT_EXPONENT_MIN,
    WEIGHT_MAGNITUDE_MAX,
    WEIGHT_MIXED_MAX,
    WEIGHT_MIXED_MIN,
)
from stochi.hardware.rounding import round_keeping_row_sums

THRESHOLD_KEPT = 32
"""Smallest threshold mantissa to which room for membranes may reduce a threshold.

Rounding then moves a threshold by 1.6 % at most.
"""
_LARGEST_UNIT = 1e100
"""Largest value of a weight's step, and the inverse of the smallest one, that a scale is for."""
_MOST_THRESHOLD = 2**62


@dataclass(frozen=True)
class Room:
    """The room that a layer's sums and states need, and the chip that has it.

    Attributes:
        headroom: number of largest inputs of one time step that the states must hold without
            overflow.
        reach: distance from 0, in the model's units, up to which membranes should not saturate. A
            smaller S is taken for it as long as no precision of weights and inputs is lost, and
            the smallest threshold keeps a mantissa of :data:`THRESHOLD_KEPT`.
        chip: the chip; what one time step's synaptic sum may be, and whether a negative weight
            exponent costs bits of every weight. If so, exponents start at 0, and weights get
            smaller mantissas instead, rounded to the nearest.
        by_synapse: whether thresholds are subtracted by a synapse: then they are rounded to what
            one weight can subtract, and are part of the synaptic sum.
    """

    headroom: float = 1.0
    reach: float = 0.0
    chip: Chip = CHIPS["loihi2"]
    by_synapse: bool = False

    @property
    def least_exponent(self) -> int:
        """Smallest weight exponent."""
        return 0 if self.chip.shifts_each_weight else WEIGHT_EXPONENT_MIN

    @property
    def largest_threshold(self) -> int:
        """Largest mantissa of a threshold."""
        if self.by_synapse:
            return WEIGHT_MAGNITUDE_MAX << WEIGHT_EXPONENT_MAX
        return THRESHOLD_MANTISSA_MAX


DEFAULT_ROOM = Room()


@dataclass(frozen=True)
class ProjectionValues:
    """Real weights of one of a layer's projections.

    Attributes:
        weight: (outputs, inputs…), with the input gain folded in.
        input_scale: integers at the input per unit of the real input (255 for 8-bit images).
        input_max: the largest integer that can arrive on one synapse.
    """

    weight: torch.Tensor
    input_scale: float
    input_max: int


@dataclass(frozen=True)
class QuantizedProjection:
    """Integer weights of one of a layer's projections on the chip.

    Attributes:
        weight: int64 mantissas in the shape of the real weight: even in [−256, 254] if signs mix,
            otherwise of one sign with a magnitude of at most 255.
        exponent: the shift of the synaptic sum, in [−8, 7].
    """

    weight: torch.Tensor
    exponent: int


@dataclass(frozen=True)
class QuantizedLayer:
    """A layer's integers on the chip. All tensors are int64, on the device of the weights.

    Attributes:
        projections: in the order of the arguments.
        bias_mantissa: in the shape of the real bias, in [−4096, 4095].
        bias_exponent: in [0, 7]; the membrane's bias is ``mantissa << exponent``.
        threshold_mantissa: in the shape of the real threshold, in [0, 2¹⁷ − 1].
        scale: S, synaptic integers per unit of current.
    """

    projections: tuple[QuantizedProjection, ...]
    bias_mantissa: torch.Tensor
    bias_exponent: int
    threshold_mantissa: torch.Tensor
    scale: float

    @property
    def bias(self) -> torch.Tensor:
        """The effective bias, in units of the membrane."""
        return self.bias_mantissa << self.bias_exponent

    def to(self, device: torch.device) -> "QuantizedLayer":
        """Return the integers on a device."""
        return replace(
            self,
            projections=tuple(replace(p, weight=p.weight.to(device)) for p in self.projections),
            bias_mantissa=self.bias_mantissa.to(device),
            threshold_mantissa=self.threshold_mantissa.to(device),
        )


def quantize_layer(
    name: str,
    projections: Sequence[ProjectionValues],
    bias: torch.Tensor,
    threshold: torch.Tensor,
    *,
    room: Room = DEFAULT_ROOM,
    scale: float | None = None,
) -> QuantizedLayer:
    """Quantize one layer.

    Args:
        name: the layer's name, for errors.
        projections: all projections into the layer. The one with the largest weights uses all 8
            bits; the others may lose one bit, because they share S.
        bias: real bias, with the gain folded in.
        threshold: real thresholds ≥ 0, of any shape; a tensor without elements if the layer has no
            threshold.
        room: what the sums and states need, and the chip.
        scale: S, if it is prescribed; otherwise the largest S that fits is chosen.

    Raises:
        LoweringError: a value is not finite, a threshold is negative, or the layer does not
            fit any weight exponent.
    """
    layer = _check_and_measure(name, projections, bias, threshold)
    fit = _choose_scale(layer, room, scale)
    bias_mantissa, bias_exponent = _round_bias(layer, fit.scale)
    return QuantizedLayer(
        projections=fit.projections,
        bias_mantissa=bias_mantissa,
        bias_exponent=bias_exponent,
        threshold_mantissa=_round_threshold(layer, fit.scale, room),
        scale=fit.scale,
    )


def to_integers(values: torch.Tensor, scale: float) -> torch.Tensor:
    """Return ``round(values · scale)`` as int64, with halves rounded to even."""
    return torch.round(values.detach().double() * scale).long()


@dataclass(frozen=True)
class _RealLayer:
    """A layer's checked real values in float64, and the magnitudes that limit its scale.

    Attributes:
        weights: of each projection, in the model's units.
        scaled: of each projection, the weights per integer at the input.
        units: of each projection, :func:`_smallest_unit` of the scaled weights.
        input_maxima: of each projection, the largest integer that can arrive on one synapse.
    """

    name: str
    weights: list[torch.Tensor]
    scaled: list[torch.Tensor]
    units: list[float]
    input_maxima: list[int]
    bias: torch.Tensor
    largest_bias: float
    threshold: torch.Tensor
    largest_threshold: float

    @property
    def largest_weight(self) -> float:
        """The largest magnitude of a weight."""
        return max(float(weight.abs().max()) for weight in self.weights)


class _Fit(NamedTuple):
    """A scale that fits, and the weights quantized with it."""

    scale: float
    projections: tuple[QuantizedProjection, ...]


def _check_and_measure(
    name: str,
    projections: Sequence[ProjectionValues],
    bias: torch.Tensor,
    threshold: torch.Tensor,
) -> _RealLayer:
    """Check a layer's real values, as described for :func:`quantize_layer`."""
    weights = [values.weight.detach().double() for values in projections]
    bias, threshold = bias.detach().double(), threshold.detach().double()
    for what, tensors in (("weight", weights), ("bias", [bias]), ("threshold", [threshold])):
        if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors):
            raise LoweringError(
                f"layer {name!r}: a {what} is not finite (NaN or infinite); train again or repair"
                " it before lowering"
            )
    if not all(weight.numel() for weight in weights):
        raise LoweringError(f"layer {name!r}: a projection has no weights")
    if threshold.numel() and float(threshold.min()) < 0:
        raise LoweringError(
            f"layer {name!r}: threshold {float(threshold.min()):g} is negative; a chip needs a"
            " threshold of 0 or above 0"
        )
    scaled = [w / values.input_scale for w, values in zip(weights, projections, strict=True)]
    units = [_smallest_unit(weight) for weight in scaled]
    for unit in units:
        if unit and not 1 / _LARGEST_UNIT <= unit <= _LARGEST_UNIT:
            raise LoweringError(
                f"layer {name!r}: its largest weight per time step is {unit:.3g} times 8 bits, of"
                f" which no scale makes integers; is dt right, and r of the neurons?"
            )
    return _RealLayer(
        name=name,
        weights=weights,
        scaled=scaled,
        units=units,
        input_maxima=[values.input_max for values in projections],
        bias=bias,
        largest_bias=float(bias.abs().max()) if bias.numel() else 0.0,
        threshold=threshold,
        largest_threshold=float(threshold.max()) if threshold.numel() else 0.0,
    )


def _choose_scale(layer: _RealLayer, room: Room, scale: float | None) -> _Fit:
    """Find the largest scale with which the layer fits the chip; only ``scale`` if it is given.

    If membranes reach further than this scale holds, take the largest one that holds them, or else
    the smallest one that keeps precision.
    """
    largest_unit = max(layer.units) or 1.0
    tried = range(WEIGHT_EXPONENT_MAX, WEIGHT_EXPONENT_MIN - 1, -1)
    scales = [2.0**exponent / largest_unit for exponent in tried] if scale is None else [scale]

    @cache  # most of the scales give the same mantissas
    def round_weights(number: int, steps_per_unit: float) -> tuple[torch.Tensor, int]:
        mantissas = _mantissas(layer.scaled[number], steps_per_unit)
        return mantissas, _largest_row(mantissas)

    found: _Fit | None = None
    for candidate in scales:
        aligned = 2.0**ALIGN_SHIFT * candidate
        if found is not None and not _is_precise(layer, room, candidate):
            return found
        exponents = [_weight_exponent(unit, candidate, room) for unit in layer.units]
        rounded = [round_weights(number, candidate / 2.0**e) for number, e in enumerate(exponents)]
        synaptic = sum(
            2.0 ** (ALIGN_SHIFT + e) * input_max * largest_row
            for e, (_, largest_row), input_max in zip(
                exponents, rounded, layer.input_maxima, strict=True
            )
        )
        threshold = _largest_threshold(layer, candidate, room)
        subtracted = threshold << ALIGN_SHIFT if room.by_synapse else 0
        drive = aligned * layer.largest_bias + synaptic
        if (
            drive * room.headroom <= STATE_MAX
            and synaptic + subtracted <= room.chip.synaptic_sum_max
            and max(exponents) <= WEIGHT_EXPONENT_MAX
            and threshold <= room.largest_threshold
            and aligned * layer.largest_bias <= BIAS_MANTISSA_MAX * 2.0**BIAS_EXPONENT_MAX
        ):
            quantized = [
                QuantizedProjection(mantissas, e)
                for (mantissas, _), e in zip(rounded, exponents, strict=True)
            ]
            found = _Fit(candidate, tuple(quantized))
            if aligned * room.reach <= STATE_MAX:
                return found
    if found is None:
        raise _fits_nowhere(layer, room)
    return found


def _largest_threshold(layer: _RealLayer, scale: float, room: Room) -> int:
    """Return the mantissa of the largest threshold."""
    largest = min(round(layer.largest_threshold * scale), _MOST_THRESHOLD)
    return int(as_one_weight(torch.tensor(largest))) if room.by_synapse else largest


def _is_precise(layer: _RealLayer, room: Room, scale: float) -> bool:
    """Return whether a scale keeps the bits of weights, of the largest inputs and of thresholds."""
    positive = layer.threshold[layer.threshold > 0]
    if positive.numel() and float(positive.min()) * scale < THRESHOLD_KEPT:
        return False
    for unit, input_max in zip(layer.units, layer.input_maxima, strict=True):
        smallest = 1 if room.chip.shifts_each_weight else input_max
        if 2.0 ** _weight_exponent(unit, scale) * smallest < 1:
            return False
    return True


def _fits_nowhere(layer: _RealLayer, room: Room) -> LoweringError:
    """Return the error for a layer that fits no weight exponent."""
    smallest = 2.0**WEIGHT_EXPONENT_MIN / (max(layer.units) or 1.0)
    too_high = round(layer.largest_threshold * smallest) > room.largest_threshold
    if too_high and layer.largest_bias <= layer.largest_threshold:
        return LoweringError(
            f"layer {layer.name!r}: its threshold {layer.largest_threshold:g} is far above its"
            f" weights, the largest of which is {layer.largest_weight:g} per time step; is dt"
            " right? To read a membrane that never spikes, write the neurons as nir.LI, nir.CubaLI"
            " or nir.I"
        )
    remedy = (
        f" its states accumulate {room.headroom:g} inputs, so use fewer time steps"
        if room.headroom > 1
        else " scale the layer's weights up, or its bias down"
    )
    return LoweringError(
        f"layer {layer.name!r}: with {sum(w[0].numel() for w in layer.weights)} inputs and a"
        f" largest weight of {layer.largest_weight:g} no weight exponent from"
        f" {room.least_exponent} to {WEIGHT_EXPONENT_MAX} keeps bias {layer.largest_bias:g},"
        f" threshold {layer.largest_threshold:g} and the sums within {_widths(room)};{remedy}"
    )


def _widths(room: Room) -> str:
    bits = room.chip.synaptic_sum_max.bit_length()
    if room.chip.synaptic_sum_max == STATE_MAX:
        return "24 bits"
    return f"24 bits, and one step's synaptic sum within the {bits} and sign of {room.chip.name}"


def _round_bias(layer: _RealLayer, scale: float) -> tuple[torch.Tensor, int]:
    """Return the bias as (mantissas, exponent), with the smallest exponent that fits."""
    aligned = 2.0**ALIGN_SHIFT * scale
    exponent = max(
        0, math.ceil(math.log2(max(aligned * layer.largest_bias, 1.0) / BIAS_MANTISSA_MAX))
    )
    return torch.round(layer.bias * aligned / 2.0**exponent).long(), exponent


def _round_threshold(layer: _RealLayer, scale: float, room: Room) -> torch.Tensor:
    """Return the threshold mantissas, 0 only for thresholds of 0.

    Raises:
        LoweringError: another threshold rounds to 0.
    """
    mantissas = torch.round(layer.threshold * scale).long()
    if room.by_synapse:
        mantissas = as_one_weight(mantissas)
    lost = (mantissas < 1) & (layer.threshold > 0)
    if bool(lost.any()):
        smallest = float(layer.threshold[lost].min())
        if room.by_synapse and round(smallest * scale) > 0:
            raise LoweringError(
                f"layer {layer.name!r}: threshold {smallest:g} rounds to 0 beside the layer's"
                f" largest of {layer.largest_threshold:g}, since one synapse of {room.chip.name}"
                f" subtracts them all, in {WEIGHT_MAGNITUDE_MAX} steps at most; bring neurons to"
                " like thresholds (weights, bias and threshold divided by one number leave the"
                " spikes as they are)"
            )
        raise LoweringError(
            f"layer {layer.name!r}: threshold {smallest:g} rounds to 0 on the chip;"
            f" its weights (largest {layer.largest_weight:g}) are too large compared with it"
        )
    return mantissas


def as_one_weight(thresholds: torch.Tensor) -> torch.Tensor:
    """Round threshold mantissas to multiples of one power of two that 8 bits can count.

    One synapse with that exponent then subtracts each of them. The power is the smallest possible.
    A mantissa moves by half of it at most, which is 1/256 of the largest one.

    Args:
        thresholds: int64 mantissas ≥ 0.
    """
    exponent = 0
    while thresholds.numel() and round(int(thresholds.max()) / 2**exponent) > WEIGHT_MAGNITUDE_MAX:
        exponent += 1
    return torch.round(thresholds.double() / 2**exponent).long() << exponent


def _is_mixed(weight: torch.Tensor) -> bool:
    return bool((weight > 0).any()) and bool((weight < 0).any())


def _smallest_unit(weight: torch.Tensor) -> float:
    """Return the smallest real value of a mantissa step with which the weights fit 8 bits."""
    limit = WEIGHT_MIXED_MAX if _is_mixed(weight) else WEIGHT_MAGNITUDE_MAX
    return float(weight.abs().max()) / limit


def _weight_exponent(unit: float, scale: float, room: Room = DEFAULT_ROOM) -> int:
    """Return the smallest exponent with which the weights fit their mantissas."""
    if unit == 0:
        return 0
    # If the scale was derived from this unit, a rounding error must not cost a bit.
    return max(math.ceil(math.log2(unit * scale) - 1e-9), room.least_exponent)


def _mantissas(weight: torch.Tensor, steps_per_unit: float) -> torch.Tensor:
    """Round weights to int64 mantissas in Loihi's weight formats."""
    steps = weight * steps_per_unit
    if _is_mixed(weight):
        even = 2 * round_keeping_row_sums(steps / 2)
        return even.clip(WEIGHT_MIXED_MIN, WEIGHT_MIXED_MAX).long()
    whole = round_keeping_row_sums(steps)
    return whole.clip(-WEIGHT_MAGNITUDE_MAX, WEIGHT_MAGNITUDE_MAX).long()


def _largest_row(weight: torch.Tensor) -> int:
    return int(weight.abs().flatten(1).sum(1).max())
