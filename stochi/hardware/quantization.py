"""From real weights, biases and thresholds to a chip's mantissas and exponents.

One scale S per layer ties the chip's integers to the model's units: a synaptic sum ``a`` stands
for the current a / S, a membrane v for v / (64·S). S is free, since weights, bias and threshold
all scale with it; it is chosen so that the weights use their whole 8 bits, and its power of two
(the weight exponent) as large as it can be without any overflow, whatever the input.

The lowering and the hardware-aware training both call :func:`quantize_layer`, so the deployed
integers are the trained ones.
"""

import math
from dataclasses import dataclass

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
)
from stochi.hardware.synapses import EXACT_SUM_LIMIT


@dataclass(frozen=True)
class QuantizedLayer:
    """A layer's numbers on the chip. All tensors int64, on the device of the weights.

    Attributes:
        weight: mantissas, of the real weight's shape: even in [−256, 254] where signs mix,
            else of one sign with a magnitude of at most 255.
        weight_exponent: the synaptic sum is shifted by it, in [−8, 7].
        bias_mantissa: (outputs,), in [−4096, 4095].
        bias_exponent: in [0, 7]; the membrane's bias is ``mantissa << exponent``.
        threshold_mantissa: of the real threshold's shape, in [0, 2¹⁷ − 1].
        scale: S, synaptic integers per unit of current.
    """

    weight: torch.Tensor
    weight_exponent: int
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
    weight: torch.Tensor,
    bias: torch.Tensor,
    threshold: torch.Tensor,
    *,
    input_scale: float,
    input_max: int,
    headroom: float = 1.0,
) -> QuantizedLayer:
    """Put one layer on the chip's grid.

    Args:
        name: the layer's name, for errors.
        weight: (outputs, inputs…) real weights, input gain already folded in.
        bias: (outputs,) real bias, gain folded in.
        threshold: real thresholds > 0, of any shape; a tensor of no elements for an integrator.
        input_scale: integers at the input per unit of the real input (255 for 8-bit images).
        input_max: the largest integer that can arrive on one synapse.
        headroom: how many times the largest synaptic sum the membrane must hold without
            saturating (the number of steps, for an integrator).

    Raises:
        LoweringError: a value is not finite, a threshold not positive, or the layer does not
            fit any weight exponent.
    """
    weight, bias, threshold = (t.detach().double() for t in (weight, bias, threshold))
    for what, tensor in (("weight", weight), ("bias", bias), ("threshold", threshold)):
        if not bool(torch.isfinite(tensor).all()):
            raise LoweringError(
                f"layer {name!r}: a {what} is not finite (NaN or infinite); train again or repair"
                " it before lowering"
            )
    if threshold.numel() and float(threshold.min()) <= 0:
        raise LoweringError(
            f"layer {name!r}: threshold {float(threshold.min()):g}; a chip needs one above 0"
        )
    mantissas, unit = _weight_mantissas(weight / input_scale)
    if not mantissas.numel():
        raise LoweringError(f"layer {name!r}: it has no weights")
    largest_sum = int(mantissas.abs().flatten(1).sum(1).max()) * input_max
    if largest_sum >= EXACT_SUM_LIMIT:
        raise LoweringError(
            f"layer {name!r}: synaptic sums reach {largest_sum}, too large for exact sums"
            f" (below 2^53); split the layer"
        )
    largest_bias = float(bias.abs().max()) if bias.numel() else 0.0
    largest_threshold = float(threshold.max()) if threshold.numel() else 0.0
    for exponent in range(WEIGHT_EXPONENT_MAX, WEIGHT_EXPONENT_MIN - 1, -1):
        scale = 2.0**exponent / unit
        aligned = 2.0**ALIGN_SHIFT * scale
        drive = 2.0**ALIGN_SHIFT * largest_sum * 2.0**exponent + aligned * largest_bias
        if (
            drive * headroom <= STATE_MAX
            and round(largest_threshold * scale) <= THRESHOLD_MANTISSA_MAX
            and aligned * largest_bias <= BIAS_MANTISSA_MAX * 2.0**BIAS_EXPONENT_MAX
        ):
            break
    else:
        raise LoweringError(
            f"layer {name!r}: with {weight[0].numel()} inputs and a largest weight of"
            f" {float(weight.abs().max()):g} no weight exponent from {WEIGHT_EXPONENT_MIN} to"
            f" {WEIGHT_EXPONENT_MAX} keeps bias {largest_bias:g}, threshold"
            f" {largest_threshold:g} and the sums within 24 bits; scale the layer's weights up,"
            " or its bias down"
        )
    bias_exponent = max(
        0, math.ceil(math.log2(max(aligned * largest_bias, 1.0) / BIAS_MANTISSA_MAX))
    )
    threshold_mantissa = torch.round(threshold * scale).long()
    if threshold.numel() and int(threshold_mantissa.min()) < 1:
        raise LoweringError(
            f"layer {name!r}: threshold {float(threshold.min()):g} rounds to 0 on the chip; its"
            f" weights (largest {float(weight.abs().max()):g}) are too large beside it"
        )
    return QuantizedLayer(
        weight=mantissas,
        weight_exponent=exponent,
        bias_mantissa=torch.round(bias * aligned / 2.0**bias_exponent).long(),
        bias_exponent=bias_exponent,
        threshold_mantissa=threshold_mantissa,
        scale=scale,
    )


def _weight_mantissas(weight: torch.Tensor) -> tuple[torch.Tensor, float]:
    """8-bit mantissas and the real value of one mantissa step (Loihi's weight formats)."""
    largest = float(weight.abs().max()) if weight.numel() else 0.0
    if largest == 0:
        return torch.zeros_like(weight, dtype=torch.int64), 1.0
    mixed = bool((weight > 0).any()) and bool((weight < 0).any())
    if mixed:
        unit = largest / 254
        return (2 * torch.round(weight / (2 * unit))).clip(-256, 254).long(), unit
    unit = largest / 255
    return torch.round(weight / unit).clip(-255, 255).long(), unit


def to_integers(values: torch.Tensor, scale: float) -> torch.Tensor:
    """Real values → ``round(values · scale)``, int64, halves to even."""
    return torch.round(values.detach().double() * scale).long()
