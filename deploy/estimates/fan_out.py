"""Number of synapses that a spike of each source neuron reaches.

Stages are linear, so propagating ones backwards through their nonzero weights counts the ways from
each source neuron to all targets, at the edges of an image too. A spike that reaches a neuron over
several cells of a pooling window does as many additions, and counts as often.
"""

import math

import numpy as np
import torch
from torch.nn import functional

from stochi.hardware.energy import CONVOLUTIONAL, DENSE, SPARSE
from stochi.program.layers import (
    Convolution,
    Dense,
    Flatten,
    OneToOne,
    Projection,
    Shape,
    Stage,
    SumPool,
    Weighted,
)


def synapse_format(projection: Projection) -> str:
    """Return the format of a projection's synapses, in which a chip stores them.

    Fully connected weights are dense, with their zeros. Convolutions share their weights, and
    one-to-one weights are sparse; neither stores zeros.
    """
    stage = next(s for s in projection.stages if isinstance(s, Weighted))
    if isinstance(stage, Dense):
        return DENSE
    return CONVOLUTIONAL if isinstance(stage, Convolution) else SPARSE


def count_fan_out(stages: tuple[Stage, ...], shape: Shape, *, zeros: bool = False) -> np.ndarray:
    """Count the ways from each source neuron through stages to all targets.

    Args:
        stages: linear operations in order.
        shape: of the source.
        zeros: whether weights of 0 count as well.

    Returns:
        (*shape) int64.
    """
    with torch.enable_grad():
        ones = torch.ones((1, *shape), dtype=torch.float64, requires_grad=True)
        reached = ones
        for stage in stages:
            reached = _apply(stage, reached, zeros)
        (ways,) = torch.autograd.grad(reached.sum(), ones)
    return ways[0].round().long().numpy()


def before_weights(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Return the stages before the one with weights."""
    place = next(i for i, stage in enumerate(stages) if isinstance(stage, Weighted))
    return stages[:place]


def sums_before_weights(stages: tuple[Stage, ...]) -> bool:
    """Return whether weights receive sums over windows, not the values that were sent."""
    return any(
        isinstance(stage, SumPool) and math.prod(stage.kernel) > 1
        for stage in before_weights(stages)
    )


def _apply(stage: Stage, values: torch.Tensor, zeros: bool) -> torch.Tensor:
    if isinstance(stage, Flatten):
        return values.flatten(1)
    if isinstance(stage, SumPool):
        high, wide = stage.padding
        padded = functional.pad(values, (wide, wide, high, high))
        return functional.avg_pool2d(padded, stage.kernel, stage.stride, divisor_override=1)
    weight = torch.from_numpy(stage.weight)
    counted = torch.ones_like(weight, dtype=torch.float64) if zeros else (weight != 0).double()
    if isinstance(stage, OneToOne):
        return values * counted
    if isinstance(stage, Dense):
        return functional.linear(values, counted)
    image = values.unsqueeze(2) if values.dim() == 3 else values
    sums = functional.conv2d(
        image, counted, None, stage.stride, stage.padding, stage.dilation, stage.groups
    )
    return sums.squeeze(2) if values.dim() == 3 else sums
