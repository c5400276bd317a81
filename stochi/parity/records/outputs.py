"""The answers of a Program's record, read over time as the model reads its own."""

import torch

from stochi.export.model.reading import Reading
from stochi.program.program import Program
from stochi.sim.record import Record
from stochi.sim.recording import PROBES

SPIKES, MEMBRANE = PROBES


def probes_for(program: Program, reading: Reading) -> tuple[str, ...]:
    """Return the probes without which :func:`answers_of` cannot read a record."""
    if reading.readout != "steps":
        return ()
    return (SPIKES if program.readout == "spikes" else MEMBRANE,)


def answers_of(program: Program, record: Record, reading: Reading) -> torch.Tensor:
    """Return a record's answers, (batch, outputs) or (time steps, batch, outputs), float64.

    Args:
        program: the Program that ran.
        record: its record, with the probes of :func:`probes_for`.
        reading: how the model reads its output over time.
    """
    if reading.readout == "steps":
        return outputs_over_time(program, record)
    if reading.readout == "sum":
        return record.logits * program.target.time_steps
    return record.logits


def outputs_over_time(program: Program, record: Record) -> torch.Tensor:
    """Return what the logits are the mean of, (time steps, batch, outputs)."""
    if program.readout == "spikes":
        return record.spikes[program.output].flatten(2).double()
    unit = program.layer(program.output).membrane_unit
    membranes = record.membrane[program.output].flatten(2).double() / unit
    if program.readout == "membrane":
        return membranes
    return torch.diff(membranes, dim=0, prepend=torch.zeros_like(membranes[:1]))
