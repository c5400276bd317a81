"""Samples as a model takes them: images, streams, or streams with the batch in front."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from stochi.data.samples import Samples
from stochi.devices import device_of
from stochi.errors import ExportError
from stochi.export.model.model import GraphModel
from stochi.program.layers import INPUT
from stochi.program.program import Program
from stochi.train.twin.model import float_model_of

Form = Literal["as they are", "batch first", "one step"]


@dataclass(frozen=True)
class Shown:
    """An input to export a model with.

    Attributes:
        sample: the input, as the model takes it.
        form: how it comes from samples. "batch first": a stream is (batch, time steps, *shape);
            "one step": the model takes images, and the samples are streams.
    """

    sample: torch.Tensor
    form: Form = "as they are"

    def of(self, inputs: torch.Tensor) -> torch.Tensor | None:
        """Return inputs as the model takes them; None if it takes none that change over time."""
        if self.form == "one step":
            return None
        return inputs.transpose(0, 1) if self.form == "batch first" else inputs


def take_sample(model: nn.Module, program: Program, few: Samples) -> Shown:
    """Return the first samples as a model takes them; its graph takes streams all the same.

    They are two, so that mixing over the batch shows, or three if two could be time steps.

    Args:
        model: the model.
        program: whose input and time steps are the model's.
        few: some of the samples.
    """
    steps = program.target.time_steps
    inputs = few.up_to(2 if steps != 2 else 3).inputs.to(device_of(model))
    if few.batch_dim == 0:
        return Shown(inputs)
    if isinstance(model, GraphModel):
        fits = model.shapes[INPUT] == program.input_shape
        return Shown(inputs) if fits else Shown(inputs[0], "one step")
    forms: dict[Form, torch.Tensor] = {
        "as they are": inputs,
        "batch first": inputs.transpose(0, 1),
    }
    fitting: list[Shown] = []
    for form, sample in forms.items():
        try:
            found = float_model_of(model, sample, program.target.dt)
        except ExportError:
            continue
        if found.shapes[INPUT] == program.input_shape:
            fitting.append(Shown(sample, form))
            if found.reading.time_steps == steps:
                return fitting[-1]
    return fitting[0] if fitting else Shown(inputs[0], "one step")
