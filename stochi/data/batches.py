"""Labelled samples in batches, from whatever holds them, without all of them in memory."""

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, TypeGuard

import torch

from stochi.data.images import Images
from stochi.data.samples import Samples, join_samples
from stochi.data.streams import Streams
from stochi.errors import InputError, first_line

Data = Samples | tuple[torch.Tensor, torch.Tensor] | Iterable[Any]
"""What holds labelled samples: :class:`Samples`, a pair (inputs, labels), a torch Dataset of such
pairs, or a DataLoader, or another iterable, of batches of them."""

_PARTS = "inputs", "labels"
_FORMS = (
    "pass stochi.data.Images(inputs, labels) or stochi.data.Streams(inputs, labels) with two"
    " tensors, a torch Dataset, or a DataLoader of such pairs"
)


def as_samples(data: object, dims: int) -> Samples:
    """Return labelled samples that are in memory, given as such or as a pair (inputs, labels).

    Args:
        data: the samples; inputs of a pair are images, or streams if they have one dimension more.
        dims: number of dimensions of a single input at one time step.

    Raises:
        InputError: ``data`` is neither.
    """
    if isinstance(data, Samples):
        return data
    if not _is_pair(data):
        raise InputError(f"inputs with labels are needed, this is {_described(data)}; {_FORMS}")
    inputs, labels = (_as_tensor(what, part) for what, part in zip(_PARTS, data, strict=True))
    return (Streams if inputs.dim() == dims + 2 else Images)(inputs, labels)


def is_in_memory(data: object) -> bool:
    """Return whether all samples are in memory."""
    return isinstance(data, Samples) or _is_pair(data)


def read_batches(data: object, dims: int, batch_size: int) -> Iterator[Samples]:
    """Yield labelled samples, at most ``batch_size`` at a time, read once and from the front.

    Args:
        data: a value of :data:`Data`.
        dims: number of dimensions of a single input at one time step.
        batch_size: largest number of samples in a batch.

    Raises:
        InputError: ``data``, or one of its batches, does not hold inputs and labels.
    """
    if is_in_memory(data):
        yield from as_samples(data, dims).batches(batch_size)
        return
    for number, batch in enumerate(_readable(_batches_of(data, batch_size))):
        if not is_in_memory(batch):
            raise InputError(
                f"batch {number} of the data is {_described(batch)}, not a pair (inputs, labels)"
            )
        samples = as_samples(batch, dims)
        if not samples.labels.dim() or samples.inputs.dim() <= dims:
            raise InputError(
                f"batch {number} of the data holds a single input of shape"
                f" {tuple(samples.inputs.shape)} and its label, not a batch; stack them, or pass"
                " torch.utils.data.DataLoader(data, batch_size)"
            )
        yield from samples.batches(batch_size)


def take_front(batches: Iterator[Samples], count: int) -> tuple[Samples, Iterator[Samples]]:
    """Read the first samples; also return all batches, these included.

    Args:
        batches: batches that were not read yet.
        count: number of samples; if there are fewer, all of them are returned.

    Raises:
        InputError: there is no sample.
    """
    held: list[Samples] = []
    for batch in batches:
        held.append(batch)
        if sum(map(len, held)) >= count:
            break
    if not sum(map(len, held)):
        raise InputError("the data hold no sample")
    front = join_samples(held)
    return front.up_to(count), itertools.chain(held, batches)


def number_of_samples(data: object) -> int | None:
    """Return the number of labelled samples, or None if only reading them tells."""
    if is_in_memory(data):
        return len(as_samples(data, 1))
    dataset = getattr(data, "dataset", data)
    return len(dataset) if isinstance(dataset, Sized) else None


def _batches_of(data: object, batch_size: int) -> Iterable[Any]:
    """Return what yields batches; a Dataset of single samples is collated by torch."""
    from torch.utils.data import DataLoader, Dataset

    if isinstance(data, DataLoader):
        return data
    if isinstance(data, Dataset):
        return DataLoader(data, batch_size)
    if isinstance(data, Iterable) and not isinstance(data, torch.Tensor | str | bytes | dict):
        return data
    raise InputError(f"inputs with labels are needed, this is {_described(data)}; {_FORMS}")


def _readable(batches: Iterable[Any]) -> Iterator[Any]:
    """Yield the batches; raise InputError if the author's code fails to give one."""
    source = iter(batches)
    for number in itertools.count():
        try:
            batch = next(source)
        except StopIteration:
            return
        except Exception as error:  # whatever a Dataset or a collate function raises
            raise InputError(
                f"batch {number} of the data cannot be read: {type(error).__name__},"
                f" {first_line(error)}"
            ) from error
        yield batch


def _is_pair(data: object) -> TypeGuard[Sequence[Any]]:
    """Return whether this is inputs with labels; a list of two batches is not."""
    return (
        isinstance(data, tuple | list)
        and len(data) == 2
        and not any(isinstance(part, Samples | tuple | list | str) for part in data)
    )


def _as_tensor(what: str, values: object) -> torch.Tensor:
    try:
        return torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError):
        raise InputError(
            f"{what} have the type {type(values).__name__}; pass tensors, as in"
            " stochi.data.Images(inputs, labels)"
        ) from None


def _described(data: object) -> str:
    if isinstance(data, tuple | list):
        return f"a {type(data).__name__} of {', '.join(type(part).__name__ for part in data)}"
    return f"a {type(data).__name__}"
