"""Linear maps and convolutions: the values are the chip's sums, the gradients are torch's."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

Gain = torch.Tensor | float


@dataclass(frozen=True)
class Geometry:
    """Of a convolution, as torch has it."""

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
    """``value(inputs)`` forward; the gradients of ``gain · (weight * inputs + bias)`` backward.

    Args:
        inputs: (batch, in) or (batch, C, H, W); weight: of ``nn.Linear`` or ``nn.Conv2d``.
        geometry: of a convolution; None for a linear map.
        gain: a number, or one for each output.
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
        if isinstance(gain, torch.Tensor):
            gain = gain.reshape((-1,) + (1,) * (gradient.dim() - 2)) if gain.dim() else gain
        gradient = (gradient * gain).to(weight.dtype)
        needs = ctx.needs_input_grad[:3]
        inputs = inputs.to(weight.dtype)
        if geometry is not None:
            found = torch.ops.aten.convolution_backward(
                gradient,
                inputs,
                weight,
                [len(weight)],
                geometry.stride,
                geometry.padding,
                geometry.dilation,
                False,
                [0, 0],
                geometry.groups,
                needs,
            )
        else:
            found = (
                gradient @ weight if needs[0] else None,
                gradient.T @ inputs if needs[1] else None,
                gradient.sum(0) if needs[2] else None,
            )
        return (*(g if n else None for g, n in zip(found, needs, strict=True)), None, None, None)
