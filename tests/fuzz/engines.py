"""Both engines on one Program, compared integer by integer."""

import numpy as np
import torch

from stochi.hardware.draws import Draws
from stochi.program.program import Program
from stochi.sim import run
from stochi.sim.engine.torch_engine import run_torch
from stochi.sim.inputs import InOrder, check_inputs, to_frames


def compare_engines(program: Program, inputs: torch.Tensor | None = None) -> None:
    """Run a Program on the compiled engine and in torch; AssertionError if an integer differs.

    Args:
        inputs: what is shown; by default two samples of 0 and 1.
    """
    if inputs is None:
        generator = torch.Generator().manual_seed(0)
        inputs = torch.rand((2, *program.input_shape), generator=generator).round()
    record = run(program, InOrder(inputs), probes=("spikes", "membrane"))
    assert bool(record.logits.isfinite().all())
    frames = to_frames(program, check_inputs(program, inputs))
    draws = Draws(0, 0, 0, program.target.random_source)
    for step, layers in enumerate(run_torch(program, frames, draws)):
        for name, state in layers.items():
            assert np.array_equal(record.membrane[name][step], state.membrane.numpy()), name
            if program.layer(name).spikes:
                assert np.array_equal(record.spikes[name][step], state.spikes.numpy()), name
