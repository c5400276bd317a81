"""Labelled samples in batches, from whatever holds them, without all of them in memory."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence, Sized
from functools import partial
from typing import Any, TypeGuard

import torch

from stochi.data.events.event_set import EventSet
from stochi.data.images import Images
from stochi.data.loaders import batch_of_one, batches_of, is_collated_by_torch, readable
from stochi.data.order import FRONT, Pair, order_of, steps_in_front, warn_of_order
from stochi.data.samples import Samples, join_samples
from stochi.data.streams import Streams
from stochi.errors import InputError

Labelled = Samples | EventSet
"""Labelled samples with numbers: in memory, or recordings that are read when they are needed."""

Data = Samples | tuple[torch.Tensor, torch.Tensor] | Iterable[Any]
"""What holds labelled samples: :class:`Samples`, a pair (inputs, labels), a torch Dataset of such
pairs, or a DataLoader, or another iterable, of batches of them."""

SMALL = 2**28
"""Bytes of inputs that may be held in memory to be read once only."""

_PARTS = "inputs", "labels"
IMAGES = "pass stochi.data.Images(inputs, labels), with labels (time steps, batch, outputs)"
_FORMS = (
    "pass stochi.data.Images(inputs, labels) or stochi.data.Streams(inputs, labels) with two"
    " tensors, a torch Dataset, or a DataLoader of such pairs"
)


def as_samples(data: object, dims: int, time_steps: int | None = None) -> Samples:
    """Return labelled samples that are in memory, given as such or as a pair (inputs, labels).

    Args:
        data: the samples; inputs of a pair are images, or streams if they have one dimension more.
        dims: number of dimensions of a single input at one time step.
        time_steps: of a sample, if that is known.

    Raises:
        InputError: ``data`` is neither.

    Warns:
        AmbiguousOrder: a pair has as many samples as time steps.
    """
    if isinstance(data, Samples):
        return data
    if not _is_pair(data):
        raise InputError(f"inputs with labels are needed, this is {_described(data)}; {_FORMS}")
    pair = _as_pair(data)
    if not pair.inputs.dim() or not pair.labels.dim():
        raise InputError(f"data is a pair of single numbers, not of inputs and labels; {_FORMS}")
    if time_steps is not None and pair.is_ambiguous(dims, time_steps):
        if pair.by_step(dims)[0]:
            warn_of_order("inputs", tuple(pair.inputs.shape), stacklevel=3)
        else:
            warn_of_order("labels", tuple(pair.labels.shape), IMAGES, stacklevel=3)
    return _form(pair, dims)


def in_memory(samples: Labelled) -> Samples:
    """Return samples with all inputs in memory."""
    return samples if isinstance(samples, Samples) else samples.load()


def held_if_small(samples: Labelled, most: int = SMALL) -> Labelled:
    """Return samples in memory if their inputs take at most this many bytes, else as they are."""
    if isinstance(samples, Samples):
        return samples
    size = 4 * len(samples) * samples.time_steps * math.prod(samples.shape)
    return samples.load() if size <= most else samples


def is_in_memory(data: object) -> bool:
    """Return whether all samples are in memory."""
    return isinstance(data, Samples) or _is_pair(data)


def read_batches(
    data: object, dims: int, batch_size: int, time_steps: int | None = None
) -> Iterator[Samples]:
    """Yield labelled samples as :func:`read_whole_batches` does, at most ``batch_size`` at a time.

    Args:
        data, dims, time_steps: as for :func:`read_whole_batches`.
        batch_size: largest number of samples in a batch.

    Raises:
        InputError: as for :func:`read_whole_batches`.
    """
    for batch in read_whole_batches(data, dims, batch_size, time_steps):
        yield from batch.batches(batch_size)


def read_whole_batches(
    data: object, dims: int, batch_size: int, time_steps: int | None = None
) -> Iterator[Samples]:
    """Yield labelled samples in the batches in which they are held, read once and from the front.

    Streams that torch collates have the samples in front, and those of another iterable may have
    them there; they are yielded with the time steps in front.

    Args:
        data: a value of :data:`Data`.
        dims: number of dimensions of a single input at one time step.
        batch_size: number of samples that are collated, if the data are a torch Dataset.
        time_steps: of a sample, if that is known.

    Raises:
        InputError: ``data``, or one of its batches, does not hold inputs and labels.

    Warns:
        AmbiguousOrder: nothing tells whether streams have the samples or the time steps in front.
    """
    if is_in_memory(data):
        yield as_samples(data, dims, time_steps)
        return
    if isinstance(data, EventSet):
        yield from data.batches(batch_size)
        return
    source = batches_of(data, batch_size)
    if source is None:
        raise InputError(f"inputs with labels are needed, this is {_described(data)}; {_FORMS}")
    batches = _pairs(readable(source))
    if is_collated_by_torch(source):
        batches = (b.from_order(FRONT, dims) if isinstance(b, Pair) else b for b in batches)
    elif time_steps is not None:
        of_one = partial(_order_of_one, source, dims, time_steps)
        batches = steps_in_front(batches, dims, time_steps, of_one)
    for batch in batches:
        yield batch if isinstance(batch, Samples) else _form(batch, dims)


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


def _pairs(batches: Iterable[Any]) -> Iterator[Pair | Samples]:
    """Yield batches as pairs of tensors; samples stay as they are."""
    for number, batch in enumerate(batches):
        if isinstance(batch, Samples):
            yield batch
            continue
        if not _is_pair(batch):
            raise InputError(
                f"batch {number} of the data is {_described(batch)}, not a pair (inputs, labels)"
            )
        pair = _as_pair(batch)
        if not pair.labels.dim():
            raise InputError(
                f"batch {number} of the data is a single sample, since its label has no dimension;"
                " pass the torch Dataset itself, or a DataLoader with a batch_size"
            )
        yield pair


def _order_of_one(source: Iterable[Any], dims: int, time_steps: int) -> int | None:
    """Return the order of a batch of one sample, if a DataLoader makes one."""
    batch = batch_of_one(source)
    return order_of(_as_pair(batch), dims, time_steps) if _is_pair(batch) else None


def _form(pair: Pair, dims: int) -> Samples:
    """Return a pair as streams, if its inputs have time steps, else as images."""
    return (Streams if pair.by_step(dims)[0] else Images)(*pair)


def _as_pair(data: Sequence[Any]) -> Pair:
    return Pair(*(_as_tensor(what, part) for what, part in zip(_PARTS, data, strict=True)))


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
