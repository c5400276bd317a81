"""Linear maps and convolutions with the chip's sums as values and torch's gradients."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

Gain = torch.Tensor | None


@dataclass(frozen=True)
class Geometry:
    """Geometry of a convolution, as torch defines it."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


def product(
    inputs: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    geometry: Geometry | None,
    gain: Gain,
    value: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Return ``value(inputs)``, with the gradients of ``gain · (weight * inputs + bias)``.

    Args:
        inputs: (batch, in) or (batch, C, H, W).
        weight, bias: parameters of ``nn.Linear`` or ``nn.Conv2d``.
        geometry: geometry of a convolution; None for a linear map.
        gain: a number, or one number for each output; None is 1.
        value: computes the forward values from the inputs.
    """
    return _Product.apply(inputs, weight, bias, geometry, gain, value)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, inputs, weight, bias, geometry, gain, value):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(inputs, weight)
        ctx.geometry, ctx.gain = geometry, gain
        return value(inputs.detach())

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        inputs, weight = ctx.saved_tensors
        geometry, gain = ctx.geometry, ctx.gain
        if gain is not None:
            gain = gain.reshape((-1,) + (1,) * (gradient.dim() - 2)) if gain.dim() else gain
            gradient = gradient * gain
        gradient = gradient.to(weight.dtype)
        needs = ctx.needs_input_grad[:3]
        inputs = inputs.to(weight.dtype)
        of_inputs = of_weight = None
        if geometry is not None:
            of_inputs, of_weight, _ = torch.ops.aten.convolution_backward(
                gradient,
                inputs,
                weight,
                None,
                geometry.stride,
                geometry.padding,
                geometry.dilation,
                False,
                [0, 0],
                geometry.groups,
                (needs[0], needs[1], False),  # for the bias, a sum is several times as fast
            )
        else:
            of_inputs = gradient @ weight if needs[0] else None
            of_weight = gradient.T @ inputs if needs[1] else None
        of_bias = gradient.sum((0, *range(2, gradient.dim()))) if needs[2] else None
        return of_inputs, of_weight, of_bias, None, None, None


def substitute(real: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Return ``value``, with the gradients of ``real``."""
    found: torch.Tensor = _Substitute.apply(real, value)
    return found


class _Substitute(torch.autograd.Function):
    @staticmethod
    def forward(ctx, real, value):  # type: ignore[no-untyped-def]
        ctx.dtype = real.dtype
        return value.clone()

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        return gradient.to(ctx.dtype), None
