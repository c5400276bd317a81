"""Samples in another form than a model takes."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from stochi.data.samples import Samples
from stochi.devices import device_of
from stochi.errors import ExportError, InputError
from stochi.export.nir_graph import to_nir
from stochi.program.program import Program


@contextmanager
def form_blamed(program: Program, model: nn.Module, few: Samples) -> Iterator[None]:
    """Blame images for an ExportError if the model can be exported with streams.

    Args:
        program: what the model was lowered to.
        model: a torch model.
        few: samples that the model is exported with inside.

    Raises:
        InputError: the samples are images, and the model takes streams.
    """
    try:
        yield
    except ExportError as error:
        if few.batch_dim or not _takes_streams(program, model, few.first(1).inputs):
            raise
        shape = ", ".join(map(str, program.input_shape))
        raise InputError(
            f"the model takes streams, (time steps, batch, {shape}), and the data are images of"
            f" shape {tuple(few.inputs.shape)}, the same at every time step; pass"
            " stochi.data.Streams(inputs, labels) with inputs of every time step"
        ) from error


def _takes_streams(program: Program, model: nn.Module, image: torch.Tensor) -> bool:
    stream = image.expand(program.target.time_steps, *image.shape).to(device_of(model))
    try:
        to_nir(model, stream.contiguous(), program.target.dt)
    except ExportError:
        return False
    return True
