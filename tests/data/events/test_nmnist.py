"""N-MNIST: layouts, order, and damaged files."""

import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stochi.data import Binning, Streams, load, open_events
from stochi.data.catalogue import find_data_set
from stochi.data.events.five_bytes import parse_five_bytes
from stochi.data.events.recording import Recording
from stochi.errors import InputError
from tests.data.events.recordings import five_bytes, random_recording, same, write_nmnist

ADDRESS = "https://www.garrickorchard.com/datasets/n-mnist"


@given(st.integers(0, 2**32), st.integers(1, 50), st.integers(1, 256), st.integers(1, 240))
def test_five_bytes_round_trip(seed: int, count: int, width: int, height: int) -> None:
    recording = random_recording(seed, count, height, width, longest=2**23)
    assert same(parse_five_bytes(five_bytes(recording), height, width), recording)


def test_one_event_bit_by_bit() -> None:
    found = parse_five_bytes(bytes([3, 7, 0b1000_0001, 2, 4]), 34, 34)
    expected = Recording(*np.array([[3], [7], [1], [0x10204]]), 34, 34)
    assert same(found, expected)


def test_markers_of_overflow_are_no_events_and_shift_the_later_times() -> None:
    events = [(1, 1, 8000), (0, 240, 0), (2, 2, 5), (0, 240, 0), (9, 240, 1), (3, 3, 0)]
    content = b"".join(bytes((x, y)) + t.to_bytes(3, "big") for x, y, t in events)
    found = parse_five_bytes(content, 34, 34)
    assert found.x.tolist() == found.y.tolist() == [1, 2, 3]
    assert found.time.tolist() == [8000, 8197, 3 * 8192]


@pytest.mark.parametrize("place", [".", "nmnist", "N-MNIST", "NMNIST"])
def test_layouts_order_and_labels(tmp_path: Path, place: str) -> None:
    written = write_nmnist(tmp_path / place)
    parts = open_events("nmnist", tmp_path)
    for part, name, count in zip(parts, ("Train", "Test"), (12, 5), strict=True):
        assert len(part) == count and part.shape == (2, 34, 34) and part.classes == 10
        assert part.labels.tolist() == [number % 10 for number in range(1, count + 1)]
        assert part.labels.dtype == torch.int64
        for at in range(count):
            expected = written[f"{name}/{(at + 1) % 10}/{at + 1:05d}.bin"]
            assert same(part.recording(at), expected)


def test_loaded_and_opened_are_the_same(tmp_path: Path) -> None:
    write_nmnist(tmp_path)
    known = find_data_set("nmnist")
    for loaded, opened in zip(
        load("nmnist", tmp_path), open_events("nmnist", tmp_path), strict=True
    ):
        assert isinstance(loaded, Streams) and loaded.inputs.dtype == torch.float32
        assert loaded.inputs.shape == (known.time_steps, len(opened), *known.shape)
        assert torch.equal(loaded.inputs, opened.load().inputs)
        assert torch.equal(loaded.labels, opened.labels)
        assert set(loaded.inputs.unique().tolist()) == {0.0, 1.0}


def test_files_that_systems_leave_behind_are_passed_over(tmp_path: Path) -> None:
    write_nmnist(tmp_path)
    for name in (".DS_Store", "Train/.DS_Store", "Train/1/._00001.bin", "Train/1/Thumbs.db"):
        (tmp_path / name).write_bytes(b"x")
    assert len(open_events("nmnist", tmp_path)[0]) == 12


def check_error(folder: Path | None, *says: str) -> None:
    with pytest.raises(InputError) as caught:
        load("nmnist", folder)
    message = str(caught.value)
    assert "\n" not in message
    for words in (*says, ADDRESS):
        assert words in message, message


def test_a_missing_set(tmp_path: Path) -> None:
    check_error(None, "N-MNIST is not part of this package", "--data-dir")
    check_error(tmp_path / "nowhere", "nowhere: no such folder")
    check_error(tmp_path, "no N-MNIST found", str(tmp_path))
    (tmp_path / "Train.zip").write_bytes(b"")
    check_error(tmp_path, f"unpack {tmp_path / 'Train.zip'} first")
    write_nmnist(tmp_path, test=0)
    check_error(tmp_path, f"{tmp_path} lacks Test/")
    (tmp_path / "Test").mkdir()
    check_error(tmp_path, "no N-MNIST found", str(tmp_path / "Test"))


EVENT = bytes((5, 6, 0, 1, 0))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (EVENT[:4], "4 bytes are not a whole number of events of 5 bytes"),
        (EVENT * 2 + b"\0", "11 bytes are not a whole number"),
        (bytes((34, 6, 0, 1, 0)), "event 0 has x 34; it must be from 0 to 33"),
        (EVENT + bytes((5, 255, 0, 1, 0)), "event 1 has y 255; it must be from 0 to 33"),
        (EVENT + bytes((5, 6, 0, 0, 255)), "event 1 is at 255 µs, before the one in front of it"),
        (bytes((0, 240, 0, 0, 0)), "it holds no event"),
        (b"<html>" * 5, "event 0 has x 60"),
    ],
)
def test_damaged_recordings(tmp_path: Path, content: bytes, says: str) -> None:
    write_nmnist(tmp_path)
    file = tmp_path / "Test" / "3" / "00003.bin"
    file.write_bytes(content)
    check_error(tmp_path, f"{file}: ", says, "download it again")


def test_foreign_files_and_folders(tmp_path: Path) -> None:
    write_nmnist(tmp_path)
    (tmp_path / "Train" / "1" / "copy.bin").write_bytes(EVENT)
    with pytest.raises(InputError, match=r"copy\.bin: not a recording of N-MNIST"):
        open_events("nmnist", tmp_path)
    (tmp_path / "Train" / "1" / "copy.bin").unlink()
    (tmp_path / "Train" / "10").mkdir()
    check_error(tmp_path, "10 is not the folder of a digit")


def test_a_recording_that_vanishes_or_cannot_be_read(tmp_path: Path) -> None:
    write_nmnist(tmp_path)
    training, _ = open_events("nmnist", tmp_path)
    file = tmp_path / "Train" / "2" / "00002.bin"
    file.unlink()
    with pytest.raises(InputError, match=r"00002\.bin: cannot be read \(No such file"):
        training.load()
    file.mkdir()
    with pytest.raises(InputError, match=r"00002\.bin: cannot be read \(Is a directory"):
        training.load()


def test_images_are_not_opened_as_events() -> None:
    with pytest.raises(InputError, match=r"images, not of events.*nmnist"):
        open_events("digits")


def test_real_recordings(shared: Path, tmp_path: Path) -> None:
    archive = shared / "data" / "nmnist" / "nmnist.tar.xz"
    if not archive.is_file():
        pytest.skip("no N-MNIST among the shared test data")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    place = next(tmp_path.rglob("Train")).parent
    training, test = open_events("nmnist", place, binning=Binning(30, "duration", 10_000))
    assert (len(training), len(test)) == (900, 100)
    # The first ten digits of MNIST's test part, which were recorded in this order.
    assert test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    lost = test.lost()
    assert lost.events > 300_000 and lost.outside < lost.events / 100
    frames = test.load().inputs
    # A digit in the middle of the picture, of strokes: neighbouring pixels have events together.
    rate = frames.sum((0, 1, 2))
    assert rate[8:26, 8:26].mean() > 3 * rate[:4].mean()
