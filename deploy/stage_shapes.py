"""What shape a stage of synapses makes of another."""

import math

from stochi.deploy.program import Convolution, Dense, OneToOne, Stage, SumPool
from stochi.hardware.synapses import windows

Shape = tuple[int, ...]


def shape_after(stage: Stage, shape: Shape) -> Shape | None:
    """The stage's output shape, without the batch; None where the input's does not fit."""
    if isinstance(stage, Dense):
        outputs, inputs = stage.weight.shape
        return (outputs,) if shape == (inputs,) else None
    if isinstance(stage, OneToOne):
        sizes = (1,) * (len(shape) - stage.weight.ndim) + stage.weight.shape
        fits = len(sizes) == len(shape) and all(
            w in (1, n) for w, n in zip(sizes, shape, strict=True)
        )
        return shape if fits else None
    if isinstance(stage, Convolution):
        if len(shape) != 3 or shape[0] != stage.weight.shape[1] * stage.groups:
            return None
        sizes = windows(
            shape[1:], stage.weight.shape[2:], stage.stride, stage.padding, stage.dilation
        )
        return (len(stage.weight), *sizes) if min(sizes) > 0 else None
    if isinstance(stage, SumPool):
        if len(shape) != 3:
            return None
        sizes = windows(shape[1:], stage.kernel, stage.stride, stage.padding, (1, 1))
        return (shape[0], *sizes) if min(sizes) > 0 else None
    return (math.prod(shape),)
