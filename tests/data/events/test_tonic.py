"""Sets that the library tonic reads."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from stochi.data import from_tonic, load, open_events
from stochi.errors import InputError
from tests.data.events import aedat4
from tests.data.events.recordings import random_recording, write_nmnist

NAMES = "dvs-gesture", "cifar10-dvs", "shd", "ssc"


@pytest.mark.parametrize("name", NAMES)
def test_without_tonic(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tonic", None)
    with pytest.raises(InputError, match=r"through the library tonic: pip install 'stochi"):
        load(name, tmp_path)


@pytest.fixture
def datasets() -> object:
    """Return tonic's data sets; skip the test without them."""
    pytest.importorskip("aedat", reason="the library aedat is not installed")
    return pytest.importorskip("tonic.datasets", reason="the library tonic is not installed")


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_set_is_not_downloaded(datasets: object, tmp_path: Path, name: str) -> None:
    for folder in (tmp_path, tmp_path / "nowhere", None):
        with pytest.raises(InputError, match="published at https://"):
            load(name, folder)
    assert list(tmp_path.iterdir()) == []


def test_gestures(datasets: object, tmp_path: Path) -> None:
    recordings = {}
    for part, user in (("ibmGestureTrain", "user10_led"), ("ibmGestureTest", "user2_lab")):
        for label in (10, 3, 0):
            recording = random_recording(label, 60, 128, 128, longest=1000)
            file = tmp_path / "DVSGesture" / part / user / f"{label}.npy"
            file.parent.mkdir(parents=True, exist_ok=True)
            r = recording
            np.save(file, np.stack([r.x, r.y, r.polarity, r.time], 1).astype(float))
            recordings[label] = recording
    training, test = open_events("dvs-gesture", tmp_path, cache=tmp_path / "frames")
    for part_set in (training, test):
        assert part_set.labels.tolist() == [0, 3, 10] and part_set.shape == (2, 128, 128)
        found, written = part_set.recording(1), recordings[3]
        assert np.array_equal(found.x, written.x) and np.array_equal(found.y, written.y)
        assert np.array_equal(found.polarity, written.polarity)
        assert np.array_equal(found.time, written.time * 1000)
    assert torch.equal(training.load().inputs, training.load().inputs)
    file.write_bytes(b"no array")
    with pytest.raises(InputError, match=r"0\.npy: .*tonic cannot read it.*download it again"):
        open_events("dvs-gesture", tmp_path)[1].load()


def test_cifar10_dvs(datasets: object, tmp_path: Path) -> None:
    for name in ("airplane", "bird"):
        for number in range(20):
            file = tmp_path / "CIFAR10DVS" / name / f"cifar10_{name}_{number}.aedat4"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(aedat4.CONTENT)
    training, test = open_events("cifar10-dvs", tmp_path)
    assert training.labels.tolist() == [0] * 18 + [2] * 18 and test.labels.tolist() == [0, 0, 2, 2]
    files = [path.stem for path in test.recordings.files]  # type: ignore[attr-defined]
    assert files == [f"cifar10_{name}_{n}" for name in ("airplane", "bird") for n in (18, 19)]
    assert test.recording(0).x[:3].tolist() == [7, 0, 9]
    assert test.load().inputs.shape == (10, 4, 2, 128, 128)


@pytest.mark.parametrize(("name", "test_file"), [("shd", "shd_test.h5"), ("ssc", "ssc_test.h5")])
def test_speech(datasets: object, tmp_path: Path, name: str, test_file: str) -> None:
    place = tmp_path / name.upper()
    place.mkdir()
    for part in ("train", "test"):
        with h5py.File(place / f"{name}_{part}.h5", "w") as file:
            times = file.create_dataset("spikes/times", 3, h5py.vlen_dtype(np.float16))
            units = file.create_dataset("spikes/units", 3, h5py.vlen_dtype(np.uint16))
            for number in range(3):
                times[number] = np.array([0.5, 0.25, 0.75], np.float16)
                units[number] = np.array([699, number, 5])
            file["labels"] = np.array([19, 0, 4], np.uint16)
            file["extra/keys"] = np.array([b"zero"] * 20)
            file["extra/speaker"] = np.arange(3)
    training, test = open_events(name, tmp_path, cache=tmp_path / "frames")
    assert training.labels.tolist() == [19, 0, 4] and test.shape == (1, 1, 700)
    found = test.recording(1)
    assert found.x.tolist() == [1, 699, 5] and found.time.tolist() == [250_000, 500_000, 750_000]
    assert set(found.y.tolist()) == set(found.polarity.tolist()) == {0}
    inputs = test.load().inputs
    assert inputs.shape == (10, 3, 1, 1, 700) and inputs.sum() == 9
    assert torch.equal(inputs, test.load().inputs) and inputs[0, 2, 0, 0, 2] == 1
    (place / test_file).write_bytes(b"cut")
    with pytest.raises(InputError, match="can read, or damaged; download it again from https"):
        open_events(name, tmp_path)


def claimed(file: h5py.File) -> None:
    file.create_dataset("labels", (10**6, 10**6), "f4", chunks=(100, 100))


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda file: file.update(labels=h5py.ExternalLink("other.h5", "/labels")), "another file"),
        (lambda file: file.create_group("a").update(b=h5py.SoftLink("/a")), "a soft link"),
        (lambda file: file.create_dataset("a", 1, "f4", external=[("b", 0, 4)]), "in other files"),
        (claimed, "STOCHI_MEMORY"),
    ],
)
def test_speech_is_looked_at_before_tonic_opens_it(
    write: Callable[[h5py.File], Any], says: str, tmp_path: Path
) -> None:
    (tmp_path / "SHD").mkdir()
    with h5py.File(tmp_path / "SHD" / "shd_train.h5", "w") as file:
        write(file)
    with pytest.raises(InputError, match=says):
        open_events("shd", tmp_path)


def test_any_set_of_tonic(datasets: object, tmp_path: Path) -> None:
    write_nmnist(tmp_path / "NMNIST")
    local = type(
        "NMNIST",
        (datasets.NMNIST,),  # type: ignore[attr-defined]
        {"_check_exists": lambda data: True},
    )
    theirs = from_tonic(local(save_to=str(tmp_path), train=False), 10)
    ours = open_events("nmnist", tmp_path)[1]
    order = torch.argsort(ours.labels)
    assert torch.equal(theirs.labels, ours.labels[order])
    assert torch.equal(theirs.load().inputs, ours.select(order).inputs)
    with pytest.raises(InputError, match="has label 5; it must be from 0 to 4"):
        from_tonic(local(save_to=str(tmp_path), train=False), 5)
    with pytest.raises(InputError, match="a data set of tonic with a sensor_size"):
        from_tonic([1, 2], 5)
