"""Matrix products of a Program alone: dense, in torch's float32, on the spikes of a real run."""

from collections.abc import Callable

import torch
from torch.nn import functional

from stochi.program.layers import INPUT, Convolution, Dense, Stage
from stochi.program.program import Program
from stochi.sim import run


def products_alone(program: Program, images: torch.Tensor) -> Callable[[], None]:
    """Return a function that does the matrix products of a run, and nothing else.

    The first layer is multiplied once, since its input is constant, all others at every time step.
    Conversions are done before, and the number of samples at a time is one that the caches hold.
    """
    record = run(program, images, probes=("spikes",))
    samples = max(32, 2**17 // max(layer.neurons for layer in program.layers))
    work: list[tuple[Stage, torch.Tensor, torch.Tensor]] = []
    for layer in program.layers:
        for synapses in layer.projections:
            weight = torch.from_numpy(synapses.weight).float()
            shown = images[None] if synapses.source == INPUT else record.spikes[synapses.source]
            frames = [part for frame in shown for part in frame.split(samples)]
            for stage in synapses.stages:
                if isinstance(stage, Dense):
                    work += [(stage, frame.flatten(1).float(), weight) for frame in frames]
                elif isinstance(stage, Convolution):
                    work += [(stage, frame.float(), weight) for frame in frames]

    def multiply() -> None:
        for stage, frame, weight in work:
            if isinstance(stage, Convolution):
                functional.conv2d(
                    frame, weight, None, stage.stride, stage.padding, stage.dilation, stage.groups
                )
            else:
                functional.linear(frame, weight)

    return multiply
