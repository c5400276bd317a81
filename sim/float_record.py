"""What the float torch model does, as a Record in the model's own units."""

import torch
from torch import nn

from stochi.deploy.program import Program
from stochi.sim.record import Record
from stochi.sim.watch import watch_model


def run_float_model(model: nn.Module, inputs: torch.Tensor, seed: int, trial: int) -> torch.Tensor:
    """(batch, classes) logits, with torch's generator seeded by seed and trial, and left as it was.

    A neuron with a ``generator`` of its own draws from that instead.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed * 1_000_003 + trial)
        output = model(inputs)
    return output[0] if isinstance(output, tuple) else output


def record_float_model(
    model: nn.Module, program: Program, inputs: torch.Tensor, seed: int, trial: int
) -> Record:
    """Run the model in eval mode and watch its layers.

    Returns:
        A Record whose membranes are floats in the model's units, (steps, batch, *shape); those of
        a readout's integrators are the sums of their input so far, as on the chip.

    Raises:
        InputError: the model has no module of a layer's name.
    """
    model.eval()
    return watch_model(
        model,
        program,
        lambda: run_float_model(model, inputs, seed, trial),
        lambda layer, membrane: membrane,
    )
