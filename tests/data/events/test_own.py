"""Recordings of one's own: formats, folders, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from stochi.data import Binning, open_recordings
from stochi.data.events.recording import Recording
from stochi.errors import InputError
from stochi.hdf5 import contents
from tests.data.events import aedat4
from tests.data.events.recordings import five_bytes, random_recording, same

SENSOR = (20, 30)
FIELDS = np.dtype([("t", np.uint32), ("x", np.uint16), ("y", np.uint16), ("p", np.bool_)])


def structured(recording: Recording) -> np.ndarray:
    rows = zip(recording.time, recording.x, recording.y, recording.polarity, strict=True)
    return np.array(list(rows), FIELDS)


def columns(recording: Recording) -> dict[str, np.ndarray]:
    return {"x": recording.x, "y": recording.y, "t": recording.time, "p": recording.polarity}


def write_hdf5(path: Path, content: dict[str, np.ndarray]) -> None:
    with h5py.File(path, "w") as file:
        for name, values in content.items():
            file[name] = values


def grouped(recording: Recording) -> dict[str, np.ndarray]:
    return {f"events/{name}": values for name, values in columns(recording).items()}


Writer = Callable[[Path, Recording], Any]
WRITERS: dict[str, tuple[str, Writer]] = {
    "npz": (".npz", lambda path, r: np.savez_compressed(path, **columns(r))),
    "npz-other-names": (
        ".npz",
        lambda path, r: np.savez(
            path, TS=r.time.astype(float), xs=r.x, ys=r.y, pol=2 * r.polarity - 1
        ),
    ),
    "npz-structured": (".npz", lambda path, r: np.savez(path, events=structured(r))),
    "npy-structured": (".npy", lambda path, r: np.save(path, structured(r))),
    "npy-columns": (
        ".npy",
        lambda path, r: np.save(path, np.stack([r.x, r.y, r.time, r.polarity], 1)),
    ),
    "h5": (".h5", lambda path, r: write_hdf5(path, grouped(r))),
    "hdf5-flat": (".hdf5", lambda path, r: write_hdf5(path, columns(r))),
    "h5-structured": (".h5", lambda path, r: write_hdf5(path, {"events": structured(r)})),
    "bin": (".bin", lambda path, r: path.write_bytes(five_bytes(r))),
}


@pytest.mark.parametrize("form", WRITERS)
def test_every_form_gives_the_recording_back(tmp_path: Path, form: str) -> None:
    ending, write = WRITERS[form]
    (tmp_path / "only").mkdir()
    recording = random_recording(1, 50, *SENSOR)
    write(tmp_path / "only" / f"one{ending}", recording)
    events = open_recordings(tmp_path, SENSOR)
    assert events.shape == (2, *SENSOR) and events.classes == 1 and len(events) == 1
    assert same(events.recording(0), recording)
    assert np.array_equal(
        events.load().inputs[:, 0].numpy(), Binning().frames(recording)[0].astype(np.float32)
    )


def write_set(root: Path, names: dict[str, list[str]]) -> None:
    for name, files in names.items():
        (root / name).mkdir(parents=True)
        for file in files:
            np.savez(root / name / file, **columns(random_recording(len(file), 9, *SENSOR)))


def test_folders_are_classes_in_the_order_of_their_names(tmp_path: Path) -> None:
    write_set(tmp_path, {"class 10": ["b", "a"], "class 9": ["r10", "r9", "r1"], "empty": []})
    (tmp_path / "README.txt").write_text("mine")
    (tmp_path / ".git").mkdir()
    events = open_recordings(tmp_path, SENSOR, binning=Binning(3, "count"))
    assert events.class_names == ("class 9", "class 10", "empty") and events.classes == 3
    assert events.labels.tolist() == [0, 1, 0, 1, 0] and events.labels.dtype == torch.int64
    paths = [path.stem for path in events.recordings.paths]  # type: ignore[attr-defined]
    assert paths == ["r1", "a", "r9", "b", "r10"]
    assert events.load().inputs.shape == (3, 5, 2, *SENSOR)


def test_a_test_part_takes_the_labels_of_the_training_part(tmp_path: Path) -> None:
    write_set(tmp_path / "train", {"a": ["1"], "b": ["1"], "c": ["1"]})
    write_set(tmp_path / "test", {"c": ["1"], "b": ["1"]})
    training = open_recordings(tmp_path / "train", SENSOR)
    test = open_recordings(tmp_path / "test", SENSOR, classes=training.class_names)
    assert test.labels.tolist() == [1, 2] and test.classes == 3
    with pytest.raises(InputError, match="a: no such class; classes are b, c"):
        open_recordings(tmp_path / "train", SENSOR, classes=("b", "c"))
    with pytest.raises(InputError, match="a class is named twice in a, a"):
        open_recordings(tmp_path / "train", SENSOR, classes=("a", "a"))


def test_labels_of_a_part_that_lacks_classes_are_not_guessed(tmp_path: Path) -> None:
    write_set(tmp_path / "train", {"a": ["1"], "b": ["1"], "c": ["1"]})
    write_set(tmp_path / "test", {"c": ["1"], "b": ["1"]})
    write_set(tmp_path / "other", {"x": ["1"], "b": ["1"], "z": ["1"]})
    training = open_recordings(tmp_path / "train", SENSOR)
    with pytest.raises(InputError, match=r"test: lacks a of .*train, so a label would mean"):
        open_recordings(tmp_path / "test", SENSOR)
    for classes in (training, training.class_names, ["a", "b", "c"]):
        test = open_recordings(tmp_path / "test", SENSOR, classes=classes)
        assert test.labels.tolist() == [1, 2] and test.class_names == ("a", "b", "c")
    alone = open_recordings(tmp_path / "test", SENSOR, classes=("b", "c"))
    assert alone.labels.tolist() == [0, 1]
    # A folder that has one of three classes is another set.
    assert open_recordings(tmp_path / "other", SENSOR).class_names == ("b", "x", "z")


def test_parts_with_different_classes(tmp_path: Path) -> None:
    write_set(tmp_path / "train", {"a": ["1"], "b": ["1"], "c": ["1"]})
    write_set(tmp_path / "test", {"a": ["1"], "b": ["1"], "d": ["1"]})
    for part, lacks in (("train", "d"), ("test", "c")):
        with pytest.raises(InputError, match=f"{part}: lacks {lacks} of"):
            open_recordings(tmp_path / part, SENSOR)
        assert open_recordings(tmp_path / part, SENSOR, classes=list("abcd")).classes == 4


def test_labels_are_not_compared_with_another_number_of_outputs(tmp_path: Path) -> None:
    write_set(tmp_path / "there" / "test", {"b": ["1", "2"], "c": ["1", "2"]})
    test = open_recordings(tmp_path / "there" / "test", SENSOR)
    test.check_outputs(2)
    with pytest.raises(InputError, match=r"2 classes \(b, c\), and the network has 3 outputs"):
        test.check_outputs(3)
    named = open_recordings(tmp_path / "there" / "test", SENSOR, classes=("a", "b", "c"))
    named.first(1).check_outputs(3)


@pytest.mark.parametrize("classes", ["abc", 10, [1, 2], (), [None], ["a", "a"]])
def test_impossible_classes(tmp_path: Path, classes: Any) -> None:
    write_set(tmp_path, {"a": ["1"]})
    with pytest.raises(InputError, match=r"classes is .*; give the names|named twice"):
        open_recordings(tmp_path, SENSOR, classes=classes)


@pytest.mark.parametrize("ending", [".npz", ".npy", ".h5"])
@pytest.mark.parametrize(
    ("unit", "factor", "kind"),
    [
        ("s", 1e-6, np.float64),
        ("ms", 1e-3, np.float64),
        ("us", 1, np.float32),
        ("us", 1, np.uint32),
        ("ns", 1000, np.int64),
        ("ns", 1000, np.uint64),
        ("ns", 1000, np.float64),
    ],
)
def test_times_in_other_units(
    tmp_path: Path, ending: str, unit: Any, factor: float, kind: type
) -> None:
    recording = random_recording(4, 60, *SENSOR)
    times = (recording.time * factor).astype(kind)
    content = {**columns(recording), "t": times}
    fields = np.dtype([(name, values.dtype) for name, values in content.items()])
    array = np.array(list(zip(*content.values(), strict=True)), fields)
    (tmp_path / "a").mkdir()
    path = tmp_path / "a" / f"f{ending}"
    {
        ".npz": lambda: np.savez(path, **content),
        ".npy": lambda: np.save(path, array),
        ".h5": lambda: write_hdf5(path, content),
    }[ending]()
    found = open_recordings(tmp_path, SENSOR, time_unit=unit).recording(0)
    assert same(found, recording)


def test_whole_numbers_of_coarse_units(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for unit, factor in (("s", 10**6), ("ms", 1000)):
        np.savez(tmp_path / "a" / "f.npz", **{**GOOD, "t": np.array([-1, 2], np.int8)})
        found = open_recordings(tmp_path, SENSOR, time_unit=unit).recording(0)  # type: ignore[arg-type]
        assert found.time.tolist() == [-factor, 2 * factor]
    for times in ([1, 2**62], [-(2**62), 1], [1.0, np.nan], [1.0, 1e300]):
        np.savez(tmp_path / "a" / "f.npz", **{**GOOD, "t": np.array(times)})
        with pytest.raises(InputError, match=r"event \d has time .* s; it must be"):
            open_recordings(tmp_path, SENSOR, time_unit="s").load()
    with pytest.raises(InputError, match="time_unit is 'sec'; it must be one of s, ms, us, ns"):
        open_recordings(tmp_path, SENSOR, time_unit="sec")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("times", "says"),
    [
        (np.arange(300), "range over 299; .*all lie in the first step"),
        (np.arange(300) * 10**6, "range over 299,000,000; .*nearly all are left out"),
        (np.arange(300) / 1000, "event 1 has time 0.001; .*time_unit='s' or 'ms'"),
    ],
)
def test_steps_of_a_duration_need_the_right_unit(
    tmp_path: Path, times: np.ndarray, says: str
) -> None:
    some = np.zeros(300, np.int64)
    (tmp_path / "a").mkdir()
    np.savez(tmp_path / "a" / "f.npz", x=some, y=some, p=some, t=times)
    steps = Binning(30, "duration", 10_000)
    with pytest.raises(InputError, match=rf"f\.npz: .*{says}"):
        open_recordings(tmp_path, SENSOR, binning=steps).load()
    sure = open_recordings(tmp_path, SENSOR, binning=steps, time_unit="us")
    assert sure.load().inputs.sum() >= 1
    if times.dtype.kind == "i":  # steps of equal time are the same in every unit
        frames = [
            open_recordings(tmp_path, SENSOR, time_unit=unit).load().inputs
            for unit in (None, "us", "ms")
        ]
        assert torch.equal(frames[0], frames[1]) and frames[0].shape == frames[2].shape


def test_the_cache_knows_the_unit(tmp_path: Path) -> None:
    (tmp_path / "set" / "a").mkdir(parents=True)
    some = np.zeros(300, np.int64)
    np.savez(tmp_path / "set" / "a" / "f.npz", x=some, y=some, p=some, t=np.arange(300))
    steps = Binning(30, "duration", 10_000)
    shown = [
        open_recordings(
            tmp_path / "set", SENSOR, binning=steps, time_unit=unit, cache=tmp_path / "cache"
        ).load()
        for unit in ("us", "ms", "us")
    ]
    assert [int(each.inputs.sum()) for each in shown] == [1, 30, 1]


def test_what_is_not_a_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such folder"):
        open_recordings(tmp_path / "nowhere", SENSOR)
    with pytest.raises(InputError, match="holds no recording; put them into a folder"):
        open_recordings(tmp_path, SENSOR)
    write_set(tmp_path, {"a": ["1"]})
    (tmp_path / "a" / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=r"notes\.txt: not a recording; their names end in"):
        open_recordings(tmp_path, SENSOR)
    (tmp_path / "loose.npy").write_bytes(b"")
    with pytest.raises(InputError, match=r"loose\.npy: lies in no class"):
        open_recordings(tmp_path, SENSOR)


@pytest.mark.parametrize("sensor", [(20,), 20, (20, 0), (20, 30.0), (True, 3), (20, 10**9), None])
def test_impossible_sensors(tmp_path: Path, sensor: Any) -> None:
    with pytest.raises(InputError, match=r"sensor is .*; give "):
        open_recordings(tmp_path, sensor)


def one(folder: Path, name: str, save: Callable[[Path], Any]) -> str:
    """Write one file; return the message that reading it gives."""
    (folder / "a").mkdir()
    save(folder / "a" / name)
    with pytest.raises(InputError) as caught:
        open_recordings(folder, SENSOR).load()
    message = str(caught.value)
    assert "\n" not in message and message.startswith(f"{folder / 'a' / name}: ")
    return message


GOOD = {
    "x": np.array([1, 2]),
    "y": np.array([1, 2]),
    "t": np.array([1, 2]),
    "p": np.array([0, 1]),
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"x": np.array([1, 30])}, "event 1 has x 30; it must be from 0 to 29"),
        ({"y": np.array([-1, 0])}, "event 0 has y -1; it must be from 0 to 19"),
        ({"p": np.array([0, 2])}, "event 1 has polarity 2"),
        ({"p": np.array([0, -1])}, "event 0 has polarity -1"),
        ({"t": np.array([2, 1])}, "event 1 is at 1 µs, before"),
        ({"t": np.array([0.001, 0.002])}, "event 0 has time 0.001; it must be a whole number"),
        ({"t": np.array([1, np.nan])}, "event 1 has time nan"),
        ({"t": np.array([1, np.inf])}, "event 1 has time inf"),
        ({"t": np.array([1, 2**64 - 1], np.uint64)}, "event 1 has time 18446744073709551615"),
        ({"t": np.array([-(2**62), 2**62])}, "at most 70368744177664 µs can lie between"),
        ({"t": np.array([1, 2, 3])}, "its arrays differ in length: x 2, y 2, time 3, polarity 2"),
        ({"t": np.array([[1, 2]])}, "time is an array of int64 with shape (1, 2)"),
        ({"x": np.array(["1", "2"])}, "x is an array of <U1"),
        ({"x": np.array([1j, 2])}, "x is an array of complex128"),
        ({"time": np.array([1, 2])}, "it holds more than one time"),
        ({"X": np.array([3, 4])}, "it holds more than one x: its arrays are"),
        ({name: np.zeros(0) for name in GOOD}, "it holds no event"),
    ],
)
@pytest.mark.parametrize("ending", [".npz", ".h5"])
def test_impossible_events(
    tmp_path: Path, ending: str, change: dict[str, np.ndarray], says: str
) -> None:
    if ending == ".h5" and change.get("x", np.zeros(1)).dtype.kind == "U":
        return  # h5py does not write them
    content = {**GOOD, **change}
    write = {".npz": lambda path: np.savez(path, **content)}.get(
        ending, lambda path: write_hdf5(path, content)
    )
    assert says in one(tmp_path, f"f{ending}", write)


def test_missing_arrays_are_named(tmp_path: Path) -> None:
    without = {name: values for name, values in GOOD.items() if name != "t"}
    for number, (name, save) in enumerate(
        {
            "f.npz": lambda path: np.savez(path, **without),
            "f.h5": lambda path: write_hdf5(path, without),
        }.items()
    ):
        (tmp_path / str(number)).mkdir()
        message = one(tmp_path / str(number), name, save)
        assert "it holds no time: its arrays are 'x', 'y'" in message.replace("'p', ", "")
        assert "t (microseconds)" in message


def test_arrays_of_another_shape(tmp_path: Path) -> None:
    message = one(tmp_path, "f.npy", lambda path: np.save(path, np.zeros((4, 10))))
    assert "one array of shape (4, 10)" in message and "(events, 4)" in message


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    save = lambda path: np.save(path, np.array([{"x": 1}]), allow_pickle=True)  # noqa: E731
    assert "could run code" in one(tmp_path, "f.npy", save)


@pytest.mark.parametrize("name", ["f.npz", "f.npy", "f.h5", "f.hdf5", "f.bin"])
@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n", b"PK\3\4", b"x" * 99])
def test_damaged_files(tmp_path: Path, name: str, content: bytes) -> None:
    one(tmp_path, name, lambda path: path.write_bytes(content))


@pytest.mark.parametrize("form", ["npz", "npy-structured", "h5", "bin"])
def test_files_that_were_cut(tmp_path: Path, form: str) -> None:
    ending, write = WRITERS[form]
    write(tmp_path / f"whole{ending}", random_recording(3, 40, *SENSOR))
    content = (tmp_path / f"whole{ending}").read_bytes()
    for number, size in enumerate((1, len(content) // 3, len(content) - 3)):
        folder = tmp_path / "cut" / str(number)
        folder.mkdir(parents=True)
        cut = content[:size]
        one(folder, f"f{ending}", lambda path, cut=cut: path.write_bytes(cut))  # type: ignore[misc]


def test_aedat4(tmp_path: Path) -> None:
    pytest.importorskip("aedat", reason="the library aedat is not installed")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "f.aedat4").write_bytes(aedat4.CONTENT)
    found = open_recordings(tmp_path, (9, 12)).recording(0)
    assert len(found) == 12 and found.time[0] == 1_700_000_000_000_765
    assert found.x[:3].tolist() == [7, 0, 9] and found.y[:3].tolist() == [4, 0, 5]
    assert found.polarity[:3].tolist() == [0, 0, 1]
    with pytest.raises(InputError, match=r"f\.aedat4: event \d+ has y"):
        open_recordings(tmp_path, (5, 12)).load()
    for content in (
        b"",
        aedat4.CONTENT[:20],
        aedat4.CONTENT[: len(aedat4.CONTENT) // 2],
        b"x" * 100,
    ):
        (tmp_path / "a" / "f.aedat4").write_bytes(content)
        with pytest.raises(InputError, match=r"f\.aedat4: not an AEDAT4 file, or a damaged one"):
            open_recordings(tmp_path, (9, 12)).load()


def test_aedat4_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "aedat", None)
    message = one(tmp_path, "f.aedat4", lambda path: path.write_bytes(aedat4.CONTENT))
    assert "pip install 'stochi[events]'" in message


def test_the_library_of_hdf5_crashes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "_CODE", "import os; os.abort()")
    said = one(tmp_path, "f.h5", lambda path: write_hdf5(path, GOOD))
    assert "f.h5: not an HDF5 file, or damaged; save it again" in said


def test_only_what_a_recording_needs_is_read_of_hdf5(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    recording = random_recording(1, 50, *SENSOR)
    with h5py.File(tmp_path / "a" / "f.h5", "w") as file:
        for name, values in columns(recording).items():
            file[f"events/{name}"] = values
        file["events/notes"] = h5py.Empty("f")
        file["events/more/x"] = 1j
        file["elsewhere"] = h5py.ExternalLink("nowhere.h5", "/")
    assert same(open_recordings(tmp_path, SENSOR).recording(0), recording)
