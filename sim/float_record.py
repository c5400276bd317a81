"""What the float torch model does, as a Record in the model's own units."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from stochi.deploy.program import Program
from stochi.sim.record import Record, join_records
from stochi.sim.watch import watch_model


def run_float_model(
    model: nn.Module,
    inputs: torch.Tensor,
    seed: int,
    trial: int,
    batch_size: int | None = None,
) -> torch.Tensor:
    """(batch, classes) logits, with torch's generator seeded by seed and trial, and left as it was.

    A neuron with a ``generator`` of its own draws from that instead. Later batches go on with the
    draws where the one before ended, so the draws of a random model depend on ``batch_size``.

    Args:
        inputs: (batch, *shape), or without ``batch_size`` whatever else the model takes.
        batch_size: how many inputs the model is shown at a time; all if not given.
    """
    with seeded_draws(seed, trial):
        return torch.cat([logits_of(model(part)) for part in _parts(inputs, batch_size)])


def record_float_model(
    model: nn.Module,
    program: Program,
    inputs: torch.Tensor,
    seed: int,
    trial: int,
    batch_size: int | None = None,
) -> Record:
    """Run the model in eval mode and watch its layers.

    Args:
        inputs, seed, trial, batch_size: as for :func:`run_float_model`.

    Returns:
        A Record whose membranes are floats in the model's units, (steps, batch, *shape); those of
        a readout's integrators are the sums of their input so far, as on the chip.

    Raises:
        InputError: the model has no module of a layer's name.
    """
    model.eval()

    def watch(part: torch.Tensor) -> Record:
        return watch_model(
            model, program, lambda: logits_of(model(part)), lambda layer, membrane: membrane
        )

    with seeded_draws(seed, trial):
        return join_records([watch(part) for part in _parts(inputs, batch_size)])


@contextmanager
def seeded_draws(seed: int, trial: int) -> Iterator[None]:
    """torch's generator seeded by seed and trial, and left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed * 1_000_003 + trial)
        yield


def _parts(inputs: torch.Tensor, batch_size: int | None) -> tuple[torch.Tensor, ...]:
    return (inputs,) if batch_size is None else inputs.split(batch_size)


def logits_of(output: torch.Tensor | tuple[torch.Tensor, ...]) -> torch.Tensor:
    """(batch, classes) logits of a model that returns them, or a tuple that begins with them."""
    return output[0] if isinstance(output, tuple) else output
