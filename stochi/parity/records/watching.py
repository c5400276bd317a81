"""Runs of a graph's model, in real numbers or in the chip's, watched layer by layer."""

from collections.abc import Callable

import torch

from stochi.errors import InputError
from stochi.export.model.model import GraphModel
from stochi.export.model.running import Output
from stochi.program.layers import Layer
from stochi.program.program import Program
from stochi.sim.record import Record

ToUnits = Callable[[Layer, torch.Tensor], torch.Tensor]


def watch_model(
    model: GraphModel, program: Program, inputs: torch.Tensor, to_units: ToUnits
) -> Record:
    """Record what the Program's layers do while a model runs, without gradients.

    Args:
        inputs: what the model is shown.
        to_units: converts a layer's membrane (batch, *shape), or a readout's input, to the record's
            units.

    Raises:
        InputError: the model has no layer of a name in the Program.
    """
    missing = [layer.name for layer in program.layers if layer.name not in model.shapes]
    if missing:
        raise InputError(
            f"the Program's layer {missing[0]!r} is not in the model; was it lowered from it?"
        )
    steps: dict[str, list[Output]] = {layer.name: [] for layer in program.layers}
    with torch.no_grad():
        for outputs in model.run(inputs):
            for name, seen in steps.items():
                seen.append(outputs[name])
        answers = model.reading.flat(model.read(steps[program.output]))
        record = Record(answers.double().cpu())
    for layer in program.layers:
        seen = steps[layer.name]
        states = [one.sent if one.membrane is None else one.membrane for one in seen]
        membrane = torch.stack([to_units(layer, state) for state in states])
        if layer.spikes:
            record.spikes[layer.name] = torch.stack([one.sent > 0 for one in seen]).cpu()
        elif seen[0].membrane is None:
            membrane = membrane.cumsum(0)
        record.membrane[layer.name] = membrane.cpu()
    return record
