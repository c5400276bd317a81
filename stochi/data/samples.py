"""Labelled inputs of a network, whatever their form."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import torch

from stochi.arguments import check_argument, check_fields, shown
from stochi.data.labels import check_count
from stochi.errors import InputError, check_at_least_one

AnySamples = TypeVar("AnySamples", bound="Samples")
_WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


@dataclass(frozen=True)
class Samples:
    """Labelled inputs; :class:`stochi.data.Images` and :class:`stochi.data.Streams` are two forms.

    Attributes:
        batch_dim: dimension of the inputs that counts the samples.
        inputs: the inputs, n of them.
        labels: (n,) int64 classes. Of a regression floats, the right answers: (n,) for a single
            output, (n, outputs), or (time steps, n, outputs).

    Raises:
        InputError: they are not tensors, or not as many labels as inputs.
    """

    batch_dim: ClassVar[int]
    inputs: torch.Tensor
    labels: torch.Tensor

    def __post_init__(self) -> None:
        check_fields(self)
        check_count(self.inputs, self.labels, self.batch_dim)

    def __len__(self) -> int:
        return self.labels.shape[self.label_dim]

    @property
    def label_dim(self) -> int:
        """Dimension of the labels that counts the samples."""
        return max(0, self.labels.dim() - 2)

    @property
    def regression(self) -> bool:
        """Whether the labels are numbers to be met, not classes."""
        return self.labels.is_floating_point()

    def with_inputs(self: AnySamples, inputs: torch.Tensor) -> AnySamples:
        """Return other inputs with the same labels."""
        return replace(self, inputs=inputs)

    def to(self: AnySamples, device: torch.device) -> AnySamples:
        """Return the samples on a device."""
        return replace(self, inputs=self.inputs.to(device), labels=self.labels.to(device))

    def first(self: AnySamples, count: int) -> AnySamples:
        """Return the first ``count`` samples.

        Raises:
            InputError: there are fewer samples, or ``count`` is below 1.
        """
        if not 1 <= count <= len(self):
            raise InputError(f"{count} images were asked for; ask for 1 to {len(self)}")
        inputs = self.inputs.narrow(self.batch_dim, 0, count)
        return replace(self, inputs=inputs, labels=self.labels.narrow(self.label_dim, 0, count))

    def up_to(self: AnySamples, count: int) -> AnySamples:
        """Return the first ``count`` samples, or all if there are fewer."""
        return self.first(min(count, len(self)))

    def select(self: AnySamples, rows: torch.Tensor | Sequence[int]) -> AnySamples:
        """Return the samples with these numbers, (count,) int64."""
        rows = as_rows(rows)
        inputs = self.inputs.index_select(self.batch_dim, rows.to(self.inputs.device))
        labels = self.labels.index_select(self.label_dim, rows.to(self.labels.device))
        return replace(self, inputs=inputs, labels=labels)

    def split(self, count: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield inputs and labels, ``count`` samples at a time; the last part may be smaller."""
        check_argument("count", count, int)
        check_at_least_one(count=count)
        count = int(count)  # torch takes no number of numpy here
        yield from zip(
            self.inputs.split(count, self.batch_dim),
            self.labels.split(count, self.label_dim),
            strict=True,
        )

    def batches(self: AnySamples, count: int) -> Iterator[AnySamples]:
        """Yield what :meth:`split` does, as samples of the same form."""
        for inputs, labels in self.split(count):
            yield replace(self, inputs=inputs, labels=labels)


def as_rows(rows: torch.Tensor | Sequence[int]) -> torch.Tensor:
    """Return the numbers of samples as a tensor, (count,) int64.

    Raises:
        InputError: these are not whole numbers.
    """
    try:
        found = torch.as_tensor(rows)
    except (TypeError, ValueError, RuntimeError):
        found = None
    if found is None or found.dim() != 1 or found.dtype not in _WHOLE:
        given = f"{found.dtype} of shape {tuple(found.shape)}" if found is not None else shown(rows)
        raise InputError(
            f"samples are selected by their numbers, and these are {given}; give a list of whole"
            " numbers (of a mask: mask.nonzero()[:, 0])"
        )
    return found.long()


def join_samples(parts: Sequence[AnySamples]) -> AnySamples:
    """Join samples of one form, at least one part, into one."""
    first = parts[0]
    if len(parts) == 1:
        return first
    inputs = torch.cat([part.inputs for part in parts], first.batch_dim)
    return replace(
        first, inputs=inputs, labels=torch.cat([part.labels for part in parts], first.label_dim)
    )
