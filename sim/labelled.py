"""Labelled data, checked against the Program that they are shown to."""

from collections.abc import Iterator

import torch

from stochi.data.batches import Data, is_in_memory, read_whole_batches
from stochi.data.events.event_set import EventSet
from stochi.data.labels import check_not_one_hot
from stochi.data.samples import Samples, join_samples
from stochi.errors import InputError
from stochi.program.program import Program
from stochi.sim.inputs import check_inputs, sizes
from stochi.turns import generators_kept

COLLATED = 512
"""Number of samples of a torch Dataset that are read at a time."""


def checked_batches(program: Program, data: Data, batch_size: int) -> Iterator[Samples]:
    """Yield the data in batches that fit the Program, and each other, with floats as inputs.

    Raises:
        InputError: as for :func:`check_data` and :func:`stochi.data.batches.read_batches`, or a
            batch has another form, or labels of another kind, than the first one.

    Warns:
        AmbiguousOrder: as for :func:`stochi.data.batches.read_batches`.
    """
    for batch in _whole_batches(program, data, batch_size):
        yield from batch.batches(batch_size)


def read_all(program: Program, data: Data) -> Samples:
    """Return all of the data in memory, checked as by :func:`checked_batches`.

    Raises:
        InputError: as for :func:`checked_batches`, or there is no sample.
    """
    with generators_kept():
        batches = list(_whole_batches(program, data, COLLATED))
    if not batches:
        raise InputError("the data hold no sample")
    return join_samples(batches)


def _whole_batches(program: Program, data: Data, batch_size: int) -> Iterator[Samples]:
    dims, steps = len(program.input_shape), program.target.time_steps
    in_parts = not is_in_memory(data)
    first: Samples | None = None
    if isinstance(data, EventSet):
        data.check_outputs(program.classes)
    for number, batch in enumerate(read_whole_batches(data, dims, batch_size, steps)):
        try:
            check_data(program, batch)
            _check_like(first, batch)
        except InputError as error:
            if not in_parts:
                raise
            raise InputError(f"batch {number} of the data: {error}") from error
        first = first or batch
        yield _in_floats(batch)


def check_data(program: Program, samples: Samples) -> None:
    """Raise InputError if inputs or labels do not fit each other, or the Program."""
    labels = samples.labels
    if not 1 <= labels.dim() <= 3 or labels.is_complex():
        raise InputError(
            f"labels are {labels.dtype} of shape {tuple(labels.shape)}; {_labels_of(program)}"
        )
    _check_form(program, samples)
    held = samples.inputs.shape[samples.batch_dim]
    if held != len(samples):
        _check_label_order(program, labels, held)
        raise InputError(
            f"{held} inputs of shape {tuple(samples.inputs.shape)} and {len(samples)} labels of"
            f" shape {tuple(labels.shape)}"
        )
    check_inputs(program, samples.inputs)
    if samples.regression:
        _check_answers(program, labels)
    else:
        _check_classes(program, labels)


def _check_form(program: Program, samples: Samples) -> None:
    """Raise InputError if the inputs lie in another order than their class says."""
    shape, given = program.input_shape, tuple(samples.inputs.shape)
    steps, streams = program.target.time_steps, f"(time steps, batch, {sizes(shape)})"
    form = streams if samples.batch_dim else f"(batch, {sizes(shape)})"
    by_step = len(given) == len(shape) + 2
    if by_step and given[:2] == (len(samples), steps) != (steps, len(samples)):
        raise InputError(
            f"inputs have shape {given}, the batch before the time steps; a stream is {streams}:"
            " pass inputs.transpose(0, 1)"
            + ("" if samples.batch_dim else " as stochi.data.Streams(inputs, labels)")
        )
    if len(given) == len(shape) + 2 - samples.batch_dim:
        other = "Images" if samples.batch_dim else "Streams"
        raise InputError(
            f"the inputs of {type(samples).__name__} are {form}, and these have shape {given}; pass"
            f" stochi.data.{other}(inputs, labels)"
        )


def _check_label_order(program: Program, labels: torch.Tensor, held: int) -> None:
    """Raise InputError if the labels of every time step have their batch in front.

    Args:
        held: number of inputs.
    """
    steps, shape = program.target.time_steps, tuple(labels.shape)
    if labels.dim() == 3 and shape[:2] == (held, steps):
        raise InputError(
            f"labels have shape {shape}, the batch before the time steps; those of every time step"
            f" are (time steps, batch, {shape[2]}): pass labels.transpose(0, 1)"
        )


def _check_classes(program: Program, labels: torch.Tensor) -> None:
    """Raise InputError if the labels are not classes of the Program."""
    if labels.dim() != 1:
        raise InputError(
            f"labels are {labels.dtype} of shape {tuple(labels.shape)}, and classes must be whole"
            f" numbers, one for each input; {_labels_of(program)}"
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= program.classes:
        raise InputError(
            f"labels range from {low} to {high}; labels must lie in 0 … {program.classes - 1}, the"
            " Program's outputs (the answers of a regression are floats)"
        )


def _check_answers(program: Program, labels: torch.Tensor) -> None:
    """Raise InputError if the labels of a regression are not of the Program's outputs."""
    outputs, steps, shape = program.classes, program.target.time_steps, tuple(labels.shape)
    fits = outputs == 1 if labels.dim() == 1 else labels.dim() in (2, 3) and shape[-1] == outputs
    if not fits:
        raise InputError(f"labels are {labels.dtype} of shape {shape}; {_labels_of(program)}")
    if labels.dim() == 3 and len(labels) != steps:
        raise InputError(f"labels have {len(labels)} time steps, and this Program has {steps}")
    if not bool(labels.isfinite().all()):
        raise InputError("labels of a regression must be finite numbers")


def _labels_of(program: Program) -> str:
    """Return which labels a Program takes."""
    outputs, steps = program.classes, program.target.time_steps
    return (
        "classes are whole numbers, one for each input, and the answers of a regression are floats,"
        f" (batch, {outputs}) or ({steps}, batch, {outputs}), as this Program has {outputs} outputs"
    )


def _check_like(first: Samples | None, batch: Samples) -> None:
    """Raise InputError if a batch has another form than the first one, or labels of another kind.

    Labels of the first one must not be one-hot.

    Args:
        first: None for the first batch itself.
    """
    if first is None:
        check_not_one_hot(batch.labels)
        return
    for what, one, other in (
        ("inputs", _form_of(first), _form_of(batch)),
        ("labels", _kind_of(first), _kind_of(batch)),
    ):
        if one != other:
            raise InputError(
                f"its {what} are {other}, and those of the first batch are {one}; give all batches"
                " in one form"
            )


def _form_of(samples: Samples) -> str:
    form = "streams (time steps, batch, *shape)" if samples.batch_dim else "images (batch, *shape)"
    return form if samples.batch_dim else f"{form}, the same at every time step"


def _kind_of(samples: Samples) -> str:
    if not samples.regression:
        return "classes"
    lead = {1: "batch", 2: "batch, outputs", 3: "time steps, batch, outputs"}
    return f"floats ({lead[samples.labels.dim()]})"


def _in_floats(batch: Samples) -> Samples:
    """Return a batch with floats as inputs; torch's layers take no whole numbers or bool."""
    inputs = batch.inputs
    return batch if inputs.is_floating_point() else batch.with_inputs(inputs.float())
