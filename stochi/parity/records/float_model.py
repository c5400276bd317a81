"""Runs of the float model, as Records in the model's own units."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from stochi.devices import device_of
from stochi.export.model.model import GraphModel
from stochi.hardware.draws import Draws
from stochi.modes import in_eval_mode
from stochi.parity.records.watching import watch_model
from stochi.program.program import Program
from stochi.sim.record import Record
from stochi.turns import seeded

FIRST_SAMPLE_BITS = 0x9E3779B97F4A7C15
"""Odd number that spreads the first samples' numbers over a seed's 64 bits."""


def run_float_model(
    model: nn.Module, inputs: torch.Tensor, draws: Draws, batch_size: int | None = None
) -> torch.Tensor:
    """Run the model with torch's generator seeded by the draws; the generator is left as it was.

    A neuron with a ``generator`` of its own draws from that instead. Later batches continue the
    draws of the batch before, so the draws of a random model depend on ``batch_size``.

    Args:
        inputs: (batch, *shape), or without ``batch_size`` whatever else the model takes.
        draws: whose seed and trial are used.
        batch_size: number of inputs that the model is shown at a time; all if not given.

    Returns:
        (batch, classes) logits.
    """
    with seeded_draws(draws):
        shown = inputs.to(device_of(model))
        return torch.cat([logits_of(model(part)) for part in _parts(shown, batch_size)])


def record_float_model(
    model: GraphModel, program: Program, inputs: torch.Tensor, draws: Draws
) -> Record:
    """Run the model in eval mode and watch its layers.

    Args:
        inputs, draws: as for :func:`run_float_model`.

    Returns:
        A Record whose membranes are floats in the model's units, (time steps, batch, *shape); those
        of a readout's integrators are the sums of their input so far, as on the chip.

    Raises:
        InputError: the model has no layer of a name in the Program.
    """
    with in_eval_mode(model), seeded_draws(draws):
        shown = inputs.to(device_of(model))
        return watch_model(model, program, shown, lambda layer, membrane: membrane)


@contextmanager
def seeded_draws(draws: Draws) -> Iterator[None]:
    """Seed torch's generator while inside, by seed, trial and first sample; then restore it."""
    trial = draws.seed * 1_000_003 + draws.trial
    with seeded(trial ^ draws.first_sample * FIRST_SAMPLE_BITS % 2**64):
        yield


def logits_of(output: torch.Tensor | tuple[torch.Tensor, ...]) -> torch.Tensor:
    """Logits (batch, classes) of a model that returns them, or a tuple that begins with them."""
    return output[0] if isinstance(output, tuple) else output


def _parts(inputs: torch.Tensor, batch_size: int | None) -> tuple[torch.Tensor, ...]:
    return (inputs,) if batch_size is None else inputs.split(int(batch_size))
