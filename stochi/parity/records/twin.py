"""Runs of a twin, as Records in the chip's integers."""

import torch

from stochi.devices import device_of
from stochi.hardware.draws import Draws
from stochi.hardware.quantization import to_integers
from stochi.modes import in_eval_mode
from stochi.parity.records.watching import watch_model
from stochi.program.layers import Layer
from stochi.program.program import Program
from stochi.sim.record import Record
from stochi.train.twin.model import Twin, set_draws


def record_twin(twin: Twin, program: Program, inputs: torch.Tensor, draws: Draws) -> Record:
    """Run the twin in eval mode and watch its layers, known by their names in the Program.

    Raises:
        InputError: the twin has no layer of a name in the Program.
    """
    set_draws(twin, seed=draws.seed, trial=draws.trial, first_sample=draws.first_sample)
    with in_eval_mode(twin):
        record = watch_model(twin, program, inputs.to(device_of(twin)), _to_integers)
    record.membrane = {name: values.to(torch.int32) for name, values in record.membrane.items()}
    return record


def _to_integers(layer: Layer, membrane: torch.Tensor) -> torch.Tensor:
    return to_integers(membrane, layer.membrane_unit)
