"""Sets of recordings: parts, batches, memory, and the cache of frames."""

import tracemalloc
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stochi.data import Binning, EventSet, open_events
from stochi.data.batches import number_of_samples, read_batches
from stochi.data.events.binning import LostEvents
from stochi.data.events.frame_cache import FrameCache
from stochi.data.events.recording import Recording
from stochi.data.samples import Samples, join_samples
from stochi.errors import InputError
from tests.data.events.recordings import five_bytes, random_recording, write_nmnist


@dataclass
class Counted:
    """Recordings from a generator, which count how often they are read."""

    count: int
    size: int = 34
    read_numbers: list[int] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int, int]:
        return 2, self.size, self.size

    def __len__(self) -> int:
        return self.count

    def read(self, number: int) -> Recording:
        self.read_numbers.append(number)
        return random_recording(number, 50, self.size, self.size)

    def identity(self, number: int) -> str:
        return f"{self.size}:{number}"


def counted(count: int = 7, cache: FrameCache | None = None) -> tuple[EventSet, Counted]:
    source = Counted(count)
    return EventSet(source, torch.arange(count) % 3, 3, Binning(4), cache), source


def same(left: Samples, right: Samples) -> bool:
    return (
        type(left) is type(right)
        and torch.equal(left.inputs, right.inputs)
        and torch.equal(left.labels, right.labels)
    )


@pytest.mark.parametrize("rows", [[1, 3], range(1, 4, 2), np.array([1, 3]), torch.tensor([1, 3])])
def test_samples_are_selected_by_any_numbers(rows: Any) -> None:
    events, _ = counted()
    assert same(events.select(rows), events.load().select(torch.tensor([1, 3])))
    assert same(events.load().select(rows), events.select(rows))


@pytest.mark.parametrize("rows", [torch.ones(7, dtype=torch.bool), [0.5], 3, "ab", None, [[1]], []])
def test_what_selects_no_samples(rows: Any) -> None:
    events, _ = counted()
    for samples in (events, events.load()):
        with pytest.raises(InputError, match=r"selected by their numbers.*mask.nonzero"):
            samples.select(rows)


def test_every_way_to_read_gives_the_same_samples() -> None:
    events, _ = counted()
    whole = events.load()
    assert whole.inputs.shape == (4, 7, 2, 34, 34) and len(events) == 7
    for number in range(7):
        frames, lost = events.binning.frames(random_recording(number, 50))
        assert np.array_equal(whole.inputs[:, number].numpy(), frames)
        assert lost.events == 50
    parts = list(events.batches(3))
    assert [len(part) for part in parts] == [3, 3, 1]
    assert same(join_samples(parts), whole)
    assert same(join_samples(list(events)), whole)
    rows = torch.tensor([5, 0, 5])
    assert same(events.select(rows), whole.select(rows))
    assert same(events.first(4).load(), whole.first(4))
    assert same(events.up_to(100).load(), whole)
    assert same(join_samples(list(read_batches(events, 3, 2))), whole)
    assert number_of_samples(events) == 7


def test_recordings_are_read_when_they_are_needed() -> None:
    events, source = counted()
    batches = events.batches(3)
    assert source.read_numbers == []
    next(batches)
    assert source.read_numbers == [0, 1, 2]
    assert sum(map(len, events.first(2).batches(10))) == 2
    assert source.read_numbers == [0, 1, 2, 0, 1]


def test_lost_events_are_counted_over_the_set() -> None:
    events, _ = counted()
    lost = events.lost()
    assert lost.events == 7 * 50
    assert lost.lost == 7 * 50 - int(events.load().inputs.sum())


def test_a_set_larger_than_memory() -> None:
    source = Counted(60, size=128)
    events = EventSet(source, torch.zeros(60, dtype=torch.int64), 1, Binning(10))
    batch = 10 * 2 * 2 * 128 * 128 * 4
    tracemalloc.start()
    total = sum(float(part.inputs.sum()) for part in events.batches(2))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total > 0 and len(source.read_numbers) == 60
    assert peak < 3 * batch < 60 // 2 * batch / 5


@pytest.mark.parametrize("count", [0, 8])
def test_more_recordings_than_there_are(count: int) -> None:
    events, _ = counted()
    with pytest.raises(InputError, match=f"{count} recordings were asked for; ask for 1 to 7"):
        events.first(count)
    with pytest.raises(InputError, match="recording 7 was asked for; they are 0 to 6"):
        events.select(torch.tensor([0, 7]))
    with pytest.raises(InputError, match="recording 4 was asked for"):
        events.first(4).frames(4)
    with pytest.raises(InputError, match="batches of 0"):
        list(events.batches(0))


def test_cached_frames_are_those_of_the_recordings(tmp_path: Path) -> None:
    plain, _ = counted()
    cached, source = counted(cache=FrameCache(tmp_path / "frames"))
    for _ in range(3):
        assert same(cached.load(), plain.load())
        assert cached.lost() == plain.lost()
    assert source.read_numbers == list(range(7))
    other = EventSet(source, cached.labels, 3, Binning(4, "count"), cached.cache)
    assert not torch.equal(other.load().inputs, plain.load().inputs)
    assert source.read_numbers == list(range(7)) * 2


@pytest.mark.parametrize("damage", ["empty", "cut", "bit", "longer", "exchanged"])
def test_damaged_frames_are_made_anew(tmp_path: Path, damage: str) -> None:
    plain, _ = counted()
    cached, source = counted(cache=FrameCache(tmp_path))
    cached.load()
    files = sorted(tmp_path.rglob("*.frames"))
    assert len(files) == 7
    content = files[3].read_bytes()
    changed = {
        "empty": b"",
        "cut": content[:-1],
        "bit": content[:-9] + bytes([content[-9] ^ 4]) + content[-8:],
        "longer": content + b"\0",
        "exchanged": files[4].read_bytes(),
    }[damage]
    files[3].write_bytes(changed)
    assert same(cached.load(), plain.load()) and cached.lost() == plain.lost()
    assert len(source.read_numbers) == 8
    assert files[3].read_bytes() == content


def test_a_changed_recording_is_read_again(tmp_path: Path) -> None:
    write_nmnist(tmp_path)
    cache = tmp_path / "frames"
    before = open_events("nmnist", tmp_path, cache=cache)[1].load()
    other = random_recording(99, 300)
    (tmp_path / "Test" / "1" / "00001.bin").write_bytes(five_bytes(other))
    after = open_events("nmnist", tmp_path, cache=cache)[1].load()
    assert np.array_equal(after.inputs[:, 0].numpy(), Binning().frames(other)[0])
    assert torch.equal(before.inputs[:, 1:], after.inputs[:, 1:])


def test_cached_frames_do_not_stand_for_a_missing_recording(tmp_path: Path) -> None:
    write_nmnist(tmp_path)
    test = open_events("nmnist", tmp_path, cache=tmp_path / "frames")[1]
    test.load()
    (tmp_path / "Test" / "1" / "00001.bin").unlink()
    with pytest.raises(InputError, match=r"00001\.bin: cannot be read"):
        test.load()


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    write_nmnist(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="file: not a folder that a cache can be written into"):
        open_events("nmnist", tmp_path, cache=tmp_path / "file")


def test_the_sum_of_nothing_lost() -> None:
    assert str(LostEvents()).startswith("0 of 0 events lost (0.0 %)")
