"""Where batches of streams count their samples."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset, TensorDataset, default_collate

from stochi.data import AmbiguousOrder, Images, Streams
from stochi.data.batches import as_samples, read_batches
from stochi.data.order import BEHIND, BOTH, FRONT, Pair
from stochi.data.samples import Samples, join_samples
from stochi.errors import InputError

STEPS, SHAPE = 4, (2, 3)
DIMS = len(SHAPE)


def streams(count: int, labels: str = "classes") -> Streams:
    inputs = torch.arange(float(STEPS * count * 6)).view(STEPS, count, *SHAPE)
    made = {
        "classes": torch.arange(count),
        "numbers": torch.arange(float(count * 2)).view(count, 2),
        "steps": torch.arange(float(STEPS * count * 2)).view(STEPS, count, 2),
    }
    return Streams(inputs, made[labels])


def turned(samples: Samples) -> tuple[torch.Tensor, torch.Tensor]:
    labels = samples.labels
    return samples.inputs.transpose(0, 1), labels.transpose(0, 1) if labels.dim() == 3 else labels


def dataset(samples: Samples) -> TensorDataset:
    """Single samples: (time steps, *shape), and labels without a batch."""
    return TensorDataset(*turned(samples))


def read(data: object) -> Samples:
    return join_samples(list(read_batches(data, DIMS, 100, STEPS)))


def same(left: Samples, right: Samples) -> bool:
    return (
        type(left) is type(right)
        and torch.equal(left.inputs, right.inputs)
        and torch.equal(left.labels, right.labels)
    )


@pytest.fixture(autouse=True)
def _errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", AmbiguousOrder)
        yield


@given(
    count=st.integers(1, 9),
    size=st.integers(1, 9),
    labels=st.sampled_from(("classes", "numbers", "steps")),
)
def test_single_streams_are_collated_behind_the_time_steps(
    count: int, size: int, labels: str
) -> None:
    whole = streams(count, labels)
    assert same(read(dataset(whole)), whole)
    assert same(read(DataLoader(dataset(whole), size)), whole)


def test_labels_of_every_time_step_of_images_are_turned_too() -> None:
    whole = Images(torch.rand(STEPS, *SHAPE), streams(STEPS, "steps").labels)
    single = TensorDataset(whole.inputs, whole.labels.transpose(0, 1))
    assert same(read(single), whole)


def first(batch: list[Any]) -> Any:
    return default_collate(batch)


def behind(batch: list[Any]) -> Any:
    inputs, labels = default_collate(batch)
    return inputs.transpose(0, 1), labels


@pytest.mark.parametrize("collate", [first, behind])
@pytest.mark.parametrize("size", [3, STEPS, 5])
def test_a_loader_s_own_function_may_put_the_batch_anywhere(
    collate: Callable[[list[Any]], Any], size: int
) -> None:
    """If sizes do not tell, a batch of one sample does."""
    whole = streams(8)
    assert same(read(DataLoader(dataset(whole), size, collate_fn=collate)), whole)


@pytest.mark.parametrize("turn", [turned, lambda part: (part.inputs, part.labels)])
def test_another_batch_tells(turn: Callable[[Samples], Any]) -> None:
    whole = streams(2 * STEPS + 1)
    parts = [turn(part) for part in whole.batches(STEPS)]
    assert same(read(parts), whole)
    backwards = read(parts[::-1])
    assert same(backwards, whole.select(backwards.labels)) and int(backwards.labels[0]) == 8
    assert same(read(iter(parts)), whole)


def test_batches_that_say_what_they_are() -> None:
    whole = streams(2 * STEPS)
    assert same(read(list(whole.batches(STEPS))), whole)
    with warnings.catch_warnings():
        assert same(as_samples(whole, DIMS, STEPS), whole)


@pytest.mark.parametrize("labels", ["classes", "steps"])
def test_nothing_tells(labels: str) -> None:
    whole = streams(2 * STEPS, labels)
    parts = [(part.inputs, part.labels) for part in whole.batches(STEPS)]
    with pytest.warns(AmbiguousOrder, match=r"batch 0 .*\(4, 4, 2, 3\).*Streams\(inputs") as caught:
        found = read(parts)
    assert same(found, whole) and len(caught) == 1
    with pytest.warns(AmbiguousOrder, match="inputs have shape"):
        assert same(as_samples(parts[0], DIMS, STEPS), next(whole.batches(STEPS)))


def test_labels_alone_may_be_ambiguous() -> None:
    images = torch.rand(STEPS, *SHAPE)
    with pytest.warns(AmbiguousOrder, match="labels have shape .*stochi.data.Images"):
        as_samples((images, streams(STEPS, "steps").labels), DIMS, STEPS)


def test_batches_in_two_orders() -> None:
    parts = list(streams(9).batches(3))
    mixed = [turned(parts[0]), (parts[1].inputs, parts[1].labels)]
    with pytest.raises(InputError, match=r"batch 1 of the data .*in another order"):
        read(mixed)


def test_too_late_to_tell() -> None:
    """The batch that tells comes behind those that can be held."""
    parts = [turned(part) for part in streams(10 * STEPS + 1).batches(STEPS)]
    with (
        pytest.warns(AmbiguousOrder),
        pytest.raises(InputError, match=r"batch 10 of the data .*in another order"),
    ):
        read(parts)


class _Fails(Dataset):
    """Single streams, of which none is read alone."""

    def __getitem__(self, number: int) -> tuple[torch.Tensor, int]:
        return torch.zeros(STEPS, *SHAPE), number

    def __len__(self) -> int:
        return STEPS


def _only_whole(batch: list[Any]) -> Any:
    if len(batch) == 1:
        raise RuntimeError("not one")
    return behind(batch)


def test_a_function_that_fails_for_one_sample() -> None:
    with pytest.warns(AmbiguousOrder):
        read(DataLoader(_Fails(), STEPS, collate_fn=_only_whole))


def test_a_batch_of_one_leaves_torch_s_generator() -> None:
    class Noisy(_Fails):
        def __getitem__(self, number: int) -> tuple[torch.Tensor, int]:
            return torch.rand(STEPS, *SHAPE), number

    def next_draw(read_all: Callable[[DataLoader], object]) -> torch.Tensor:
        torch.manual_seed(3)
        read_all(DataLoader(Noisy(), STEPS, collate_fn=behind))
        return torch.rand(1)

    assert torch.equal(next_draw(read), next_draw(list))


@given(
    count=st.integers(1, 6),
    order=st.sampled_from(BOTH),
    labels=st.sampled_from(("classes", "numbers", "steps")),
)
def test_the_order_is_found_unless_both_sizes_are_the_same(
    count: int, order: int, labels: str
) -> None:
    samples = streams(count, labels)
    pair = Pair(*(turned(samples) if order == FRONT else (samples.inputs, samples.labels)))
    assert pair.orders(DIMS, STEPS) == (BOTH if count == STEPS else (order,))
    assert pair.is_ambiguous(DIMS, STEPS) == (count == STEPS)
    restored = pair.from_order(order, DIMS)
    assert torch.equal(restored.inputs, samples.inputs)
    assert torch.equal(restored.labels, samples.labels)


def test_shapes_that_fit_no_order() -> None:
    assert Pair(torch.zeros(4, 3, 2, 3), torch.zeros(7)).orders(DIMS, STEPS) == ()
    assert Pair(torch.zeros(4, 3, 2, 3), torch.tensor(0)).orders(DIMS, STEPS) == ()
    mixed = Pair(torch.zeros(4, 3, 2, 3), torch.zeros(3, 4, 2))
    assert mixed.orders(DIMS, STEPS) == ()
    assert Pair(torch.zeros(5, 2, 3), torch.zeros(5)).orders(DIMS, STEPS) == (BEHIND, FRONT)
