"""Labelled samples in their forms, and in batches from whatever holds them."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from stochi.data import Images, Streams
from stochi.data.batches import as_samples, number_of_samples, read_batches, take_front
from stochi.data.samples import Samples, join_samples
from stochi.errors import InputError

INPUTS, LABELS = torch.arange(70.0).view(7, 1, 10), torch.arange(7)
STREAM = INPUTS.view(7, 1, 1, 10).expand(7, 4, 1, 10).transpose(0, 1)
"""The same, (4 time steps, 7, 1, 10)."""


class Endless(IterableDataset):
    """Samples that come one after another, without a length."""

    def __iter__(self) -> Iterator[tuple[torch.Tensor, int]]:
        yield from zip(INPUTS, LABELS.tolist(), strict=True)


def same(left: Samples, right: Samples) -> bool:
    return (
        type(left) is type(right)
        and torch.equal(left.inputs, right.inputs)
        and torch.equal(left.labels, right.labels)
    )


@pytest.mark.parametrize("samples", [Images(INPUTS, LABELS), Streams(STREAM, LABELS)])
@pytest.mark.parametrize("labels", [LABELS, LABELS[:, None] / 7, LABELS[None, :, None] / 7])
def test_parts_of_samples_are_those_of_both_tensors(samples: Samples, labels: torch.Tensor) -> None:
    samples = type(samples)(samples.inputs, labels)
    assert len(samples) == 7 and samples.regression == labels.is_floating_point()
    parts = list(samples.batches(3))
    assert [len(part) for part in parts] == [3, 3, 1]
    assert same(join_samples(parts), samples)
    assert same(parts[0], samples.first(3))
    assert same(samples.select(torch.tensor([3, 4, 5])), parts[1])
    for (inputs, targets), part in zip(samples.split(3), parts, strict=True):
        assert torch.equal(inputs, part.inputs) and torch.equal(targets, part.labels)


@pytest.mark.parametrize("count", [0, 8])
def test_more_samples_than_there_are(count: int) -> None:
    with pytest.raises(InputError, match=f"{count} images were asked for; ask for 1 to 7"):
        Streams(STREAM, LABELS).first(count)


@pytest.mark.parametrize(
    "data",
    [
        Images(INPUTS, LABELS),
        (INPUTS, LABELS),
        [INPUTS.numpy(), LABELS.tolist()],
        TensorDataset(INPUTS, LABELS),
        DataLoader(TensorDataset(INPUTS, LABELS), 5),
        DataLoader(Endless(), 2),
        Endless(),
        [(INPUTS[:4], LABELS[:4]), (INPUTS[4:], LABELS[4:])],
        (Images(INPUTS[:4], LABELS[:4]), Images(INPUTS[4:], LABELS[4:])),
        ((part, label) for part, label in zip(INPUTS.split(1), LABELS.split(1), strict=True)),
    ],
)
def test_batches_hold_every_sample_once(data: object) -> None:
    if isinstance(data, list) and not isinstance(data[1], tuple):
        data = [data[0], np.array(data[1])]
    batches = list(read_batches(data, 2, 3))
    assert max(map(len, batches)) <= 3
    whole = join_samples(batches)
    assert same(whole, Images(INPUTS, LABELS))


def test_a_pair_with_one_dimension_more_is_a_stream() -> None:
    assert same(as_samples((STREAM, LABELS), 2), Streams(STREAM, LABELS))
    (only,) = read_batches(DataLoader(_Streams(), None), 2, 10)
    assert same(only, Streams(STREAM, LABELS))


class _Streams(IterableDataset):
    """A batch of streams, which a DataLoader does not collate."""

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        yield STREAM, LABELS


def test_the_front_is_read_once_and_no_further_than_needed() -> None:
    read = []

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for inputs, labels in Images(INPUTS, LABELS).split(2):
            read.append(len(labels))
            yield inputs, labels

    front, rest = take_front(read_batches(batches(), 2, 2), 3)
    assert same(front, Images(INPUTS, LABELS).first(3)) and read == [2, 2]
    assert same(join_samples(list(rest)), Images(INPUTS, LABELS)) and read == [2, 2, 2, 1]
    front, _ = take_front(read_batches((INPUTS, LABELS), 2, 2), 100)
    assert same(front, Images(INPUTS, LABELS))


def test_the_number_of_samples() -> None:
    assert number_of_samples((STREAM, LABELS)) == 7
    assert number_of_samples(DataLoader(TensorDataset(INPUTS, LABELS), 5)) == 7
    assert number_of_samples(TensorDataset(INPUTS, LABELS)) == 7
    assert number_of_samples(iter([(INPUTS, LABELS)])) is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "this is a NoneType"),
        (INPUTS, "this is a Tensor"),
        ("digits", "this is a str"),
        ({"inputs": INPUTS, "labels": LABELS}, "this is a dict"),
        ([INPUTS, LABELS, LABELS], "batch 0 of the data is a Tensor"),
        (DataLoader(INPUTS, 2), "batch 0 of the data is a Tensor"),  # type: ignore[arg-type]
        ([{"inputs": INPUTS}], "batch 0 of the data is a dict"),
        ((object(), LABELS), "inputs have the type object"),
        ((INPUTS, object()), "labels have the type object"),
    ],
)
def test_what_is_not_labelled_samples(data: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(read_batches(data, 2, 3))


def test_no_sample() -> None:
    with pytest.raises(InputError, match="no sample"):
        take_front(read_batches([], 2, 3), 1)


class _Broken(Dataset):
    """Two samples, of which the second cannot be read."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, number: int) -> tuple[torch.Tensor, int]:
        if number:
            raise OSError("cut.npy is cut\nshort")
        return INPUTS[0], 0


def test_data_that_cannot_be_read() -> None:
    with pytest.raises(InputError, match=r"batch 1 of the data cannot be read: OSError, cut\.npy"):
        list(read_batches(_Broken(), 2, 1))
    loader = DataLoader(_Broken(), 1, num_workers=1)
    with pytest.raises(InputError, match=r"batch 1 of the data cannot be read: OSError, cut\.npy"):
        list(read_batches(loader, 2, 1))
    single = DataLoader(TensorDataset(INPUTS, LABELS), batch_size=None)
    with pytest.raises(InputError, match=r"batch 0 of the data is a single sample.*batch_size"):
        list(read_batches(single, 2, 1))
    words = [("word", 0), ("another", 1)]
    loader = DataLoader(words, 2, collate_fn=lambda batch: torch.tensor(batch))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="batch 0 of the data cannot be read"):
        list(read_batches(loader, 2, 1))
