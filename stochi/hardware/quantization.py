"""From real weights, biases and thresholds to a chip's mantissas and exponents.

One scale S per layer ties the chip's integers to the model's units: a synaptic sum ``a`` stands
for the current a / S, a membrane v for v / (64·S). S is free, since weights, bias and threshold
all scale with it; it is chosen so that the weights use their whole 8 bits, and its power of two
(the weight exponent) as large as it can be without any overflow, whatever the input.

The lowering and the hardware-aware training both call :func:`quantize_layer`, so the deployed
integers are the trained ones.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch

from stochi.errors import LoweringError
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


@dataclass(frozen=True)
class SynapseValues:
    """One of a layer's weight matrices, real.

    Attributes:
        weight: (outputs, inputs…), input gain already folded in.
        input_scale: integers at the input per unit of the real input (255 for 8-bit images).
        input_max: the largest integer that can arrive on one synapse.
    """

    weight: torch.Tensor
    input_scale: float
    input_max: int


@dataclass(frozen=True)
class QuantizedSynapses:
    """One of a layer's weight matrices on the chip.

    Attributes:
        weight: int64 mantissas of the real weight's shape: even in [−256, 254] where signs mix,
            else of one sign with a magnitude of at most 255.
        exponent: the synaptic sum is shifted by it, in [−8, 7].
    """

    weight: torch.Tensor
    exponent: int


@dataclass(frozen=True)
class QuantizedLayer:
    """A layer's numbers on the chip. All tensors int64, on the device of the weights.

    Attributes:
        synapses: in the order given.
        bias_mantissa: of the real bias's shape, in [−4096, 4095].
        bias_exponent: in [0, 7]; the membrane's bias is ``mantissa << exponent``.
        threshold_mantissa: of the real threshold's shape, in [0, 2¹⁷ − 1].
        scale: S, synaptic integers per unit of current.
    """

    synapses: tuple[QuantizedSynapses, ...]
    bias_mantissa: torch.Tensor
    bias_exponent: int
    threshold_mantissa: torch.Tensor
    scale: float

    @property
    def bias(self) -> torch.Tensor:
        """The effective bias, in units of the membrane."""
        return self.bias_mantissa << self.bias_exponent


def quantize_layer(
    name: str,
    synapses: Sequence[SynapseValues],
    bias: torch.Tensor,
    threshold: torch.Tensor,
    *,
    headroom: float = 1.0,
    scale: float | None = None,
) -> QuantizedLayer:
    """Put one layer on the chip's grid.

    Args:
        name: the layer's name, for errors.
        synapses: all that feed the layer; the one with the largest weights has all 8 bits, the
            others may lose one, since they share S.
        bias: real bias, gain folded in.
        threshold: real thresholds > 0, of any shape; a tensor of no elements where there is none.
        headroom: how many times one step's largest input the states must hold without overflow.
        scale: S, where it is given from outside, instead of the largest that fits.

    Raises:
        LoweringError: a value is not finite, a threshold not positive, or the layer does not
            fit any weight exponent.
    """
    weights = [values.weight.detach().double() for values in synapses]
    bias, threshold = bias.detach().double(), threshold.detach().double()
    for what, tensors in (("weight", weights), ("bias", [bias]), ("threshold", [threshold])):
        if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors):
            raise LoweringError(
                f"layer {name!r}: a {what} is not finite (NaN or infinite); train again or repair"
                " it before lowering"
            )
    if not all(weight.numel() for weight in weights):
        raise LoweringError(f"layer {name!r}: it has no weights")
    if threshold.numel() and float(threshold.min()) <= 0:
        raise LoweringError(
            f"layer {name!r}: threshold {float(threshold.min()):g}; a chip needs one above 0"
        )
    scaled = [w / values.input_scale for w, values in zip(weights, synapses, strict=True)]
    units = [_smallest_unit(weight) for weight in scaled]
    largest_unit = max(units) or 1.0
    largest_bias = float(bias.abs().max()) if bias.numel() else 0.0
    largest_threshold = float(threshold.max()) if threshold.numel() else 0.0
    exponents = range(WEIGHT_EXPONENT_MAX, WEIGHT_EXPONENT_MIN - 1, -1)
    scales = [2.0**exponent / largest_unit for exponent in exponents] if scale is None else [scale]

    @cache  # most scales that are tried give the same mantissas
    def on_grid(number: int, steps_per_unit: float) -> tuple[torch.Tensor, int]:
        mantissas = _mantissas(scaled[number], steps_per_unit)
        return mantissas, _largest_row(mantissas)

    for scale in scales:
        aligned = 2.0**ALIGN_SHIFT * scale
        chosen = [_weight_exponent(unit, scale) for unit in units]
        grids = [on_grid(number, scale / 2.0**e) for number, e in enumerate(chosen)]
        drive = aligned * largest_bias + sum(
            2.0 ** (ALIGN_SHIFT + e) * values.input_max * largest_row
            for e, (_, largest_row), values in zip(chosen, grids, synapses, strict=True)
        )
        if (
            drive * headroom <= STATE_MAX
            and max(chosen) <= WEIGHT_EXPONENT_MAX
            and round(largest_threshold * scale) <= THRESHOLD_MANTISSA_MAX
            and aligned * largest_bias <= BIAS_MANTISSA_MAX * 2.0**BIAS_EXPONENT_MAX
        ):
            break
    else:
        largest_weight = max(float(weight.abs().max()) for weight in weights)
        raise LoweringError(
            f"layer {name!r}: with {sum(w[0].numel() for w in weights)} inputs and a largest weight"
            f" of {largest_weight:g} no weight exponent from {WEIGHT_EXPONENT_MIN} to"
            f" {WEIGHT_EXPONENT_MAX} keeps bias {largest_bias:g}, threshold"
            f" {largest_threshold:g} and the sums within 24 bits;"
            + (
                f" its states pile up {headroom:g} inputs, so lower the steps"
                if headroom > 1
                else " scale the layer's weights up, or its bias down"
            )
        )
    bias_exponent = max(
        0, math.ceil(math.log2(max(aligned * largest_bias, 1.0) / BIAS_MANTISSA_MAX))
    )
    threshold_mantissa = torch.round(threshold * scale).long()
    if threshold.numel() and int(threshold_mantissa.min()) < 1:
        raise LoweringError(
            f"layer {name!r}: threshold {float(threshold.min()):g} rounds to 0 on the chip; its"
            f" weights (largest {max(float(w.abs().max()) for w in weights):g}) are too large"
            " beside it"
        )
    return QuantizedLayer(
        synapses=tuple(
            QuantizedSynapses(mantissas, e) for (mantissas, _), e in zip(grids, chosen, strict=True)
        ),
        bias_mantissa=torch.round(bias * aligned / 2.0**bias_exponent).long(),
        bias_exponent=bias_exponent,
        threshold_mantissa=threshold_mantissa,
        scale=scale,
    )


def _is_mixed(weight: torch.Tensor) -> bool:
    return bool((weight > 0).any()) and bool((weight < 0).any())


def _smallest_unit(weight: torch.Tensor) -> float:
    """The real value of one mantissa step with which the weights just fit their 8 bits."""
    limit = WEIGHT_MIXED_MAX if _is_mixed(weight) else WEIGHT_MAGNITUDE_MAX
    return float(weight.abs().max()) / limit


def _weight_exponent(unit: float, scale: float) -> int:
    """The finest exponent with which the weights fit their mantissas."""
    if unit == 0:
        return 0
    # A rounding error must not cost a bit where unit and scale were made for each other.
    return max(math.ceil(math.log2(unit * scale) - 1e-9), WEIGHT_EXPONENT_MIN)


def _mantissas(weight: torch.Tensor, steps_per_unit: float) -> torch.Tensor:
    """Mantissas in Loihi's weight formats, int64."""
    steps = weight * steps_per_unit
    if _is_mixed(weight):
        even = 2 * round_keeping_row_sums(steps / 2)
        return even.clip(WEIGHT_MIXED_MIN, WEIGHT_MIXED_MAX).long()
    whole = round_keeping_row_sums(steps)
    return whole.clip(-WEIGHT_MAGNITUDE_MAX, WEIGHT_MAGNITUDE_MAX).long()


def _largest_row(weight: torch.Tensor) -> int:
    return int(weight.abs().flatten(1).sum(1).max())


def to_integers(values: torch.Tensor, scale: float) -> torch.Tensor:
    """Real values → ``round(values · scale)``, int64, halves to even."""
    return torch.round(values.detach().double() * scale).long()
