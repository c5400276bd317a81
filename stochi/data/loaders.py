"""Batches from torch Datasets, DataLoaders and other code of a user."""

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any

import torch

from stochi.errors import InputError, first_line
from stochi.turns import generators_kept


def batches_of(data: object, batch_size: int) -> Iterable[Any] | None:
    """Return what yields batches, None if nothing does; torch collates a Dataset's samples."""
    from torch.utils.data import DataLoader, Dataset

    if isinstance(data, DataLoader):
        return data
    if isinstance(data, Dataset):
        return DataLoader(data, batch_size)
    if isinstance(data, Iterable) and not isinstance(data, torch.Tensor | str | bytes | dict):
        return data
    return None


def readable(batches: Iterable[Any]) -> Iterator[Any]:
    """Yield the batches; raise InputError if the author's code fails to give one."""
    source = iter(batches)
    for number in itertools.count():
        try:
            batch = next(source)
        except StopIteration:
            return
        except Exception as error:  # whatever a Dataset or a collate function raises
            raise InputError(
                f"batch {number} of the data cannot be read: {_cause(error)}"
            ) from error
        yield batch


def is_collated_by_torch(source: object) -> bool:
    """Return whether torch stacks single samples, which puts the batch in front."""
    from torch.utils.data import DataLoader, default_collate

    return (
        isinstance(source, DataLoader)
        and source.collate_fn is default_collate
        and source.batch_sampler is not None
    )


def batch_of_one(source: Iterable[Any]) -> Any:
    """Return the first sample of a DataLoader as a batch of its own, None if that does not work."""
    from torch.utils.data import DataLoader

    if not isinstance(source, DataLoader) or source.batch_sampler is None:
        return None
    try:
        with generators_kept():
            return source.collate_fn([source.dataset[0]])
    except Exception:  # whatever the author's code raises for a batch of one
        return None


def _cause(error: Exception) -> str:
    """Return an error's type and first line, also those of an error in a DataLoader's worker.

    torch puts the traceback of a worker into the message, with the error behind it.
    """
    text = str(error)
    caught = re.match(r"Caught (\w+) in DataLoader worker", text)
    if caught:
        kind = caught.group(1)
        said = re.findall(rf"^(?:[\w.]+\.)?{kind}(?:: (.*))?$", text, re.MULTILINE)
        return f"{kind}, {said[-1]}" if said and said[-1] else kind
    return f"{type(error).__name__}, {first_line(error)}"
