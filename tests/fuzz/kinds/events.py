"""Recordings of event cameras, in every format, and frames that were kept of them."""

import importlib.util
import io
import shutil
import struct
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np

from stochi.data import Binning, open_recordings
from stochi.data.events.binning import LostEvents
from stochi.data.events.frame_cache import FrameCache
from tests.data.events import aedat4
from tests.data.events.recordings import five_bytes, random_recording
from tests.fuzz import hostile
from tests.fuzz.kind import Kind
from tests.fuzz.mutation import damage

_SENSOR = (9, 12)
_FRAMES = ".frames"
_SHAPE = (2, 2, *_SENSOR)
_KEY = "key"
_COLUMNS = ("x", "y", "t", "p")
_COMPRESSION = 46
"""Place of the compression in the recording of ``tests.data.events.aedat4``."""
_TYPED = np.dtype([("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")])


def _columns() -> dict[str, np.ndarray]:
    recording = random_recording(0, 40, *_SENSOR, longest=5_000)
    parts = (recording.x, recording.y, recording.time, recording.polarity)
    return dict(zip(_COLUMNS, parts, strict=True))


def _kept() -> np.ndarray:
    return np.arange(np.prod(_SHAPE)).reshape(_SHAPE) % 5 == 0


def originals(folder: Path) -> list[Path]:
    """Write a recording in each format that can be read here."""
    columns = _columns()
    np.savez(folder / "r.npz", **columns)
    typed = np.zeros(40, _TYPED)
    for name in _COLUMNS:
        typed[name] = columns[name]
    np.save(folder / "r.npy", typed)
    with h5py.File(folder / "r.h5", "w") as file:
        for name in _COLUMNS:
            file.create_dataset(f"events/{name}", data=columns[name], compression="gzip")
    (folder / "r.bin").write_bytes(five_bytes(random_recording(0, 40, *_SENSOR)))
    (folder / "r.aedat4").write_bytes(aedat4.CONTENT)
    cache = FrameCache(folder / "cache")
    cache.put(_KEY, _kept(), LostEvents(1, 2, 40))
    kept = next(path for path in cache.folder.rglob("*") if path.is_file())
    shutil.copy(kept, folder / f"r{_FRAMES}")
    endings = [".npz", ".npy", ".h5", ".bin", _FRAMES]
    if importlib.util.find_spec("aedat"):
        endings.append(".aedat4")
    return [folder / f"r{ending}" for ending in endings]


def mutate(random: Random, original: Path, path: Path) -> None:
    """Damage bytes."""
    path.write_bytes(damage(random, original.read_bytes()))


def crafted(folder: Path) -> dict[str, Path]:
    """Write columns of hostile numbers, types and lengths in every format, and bombs."""
    files: dict[str, bytes] = {}
    columns = _columns()
    numbers = (*hostile.NUMBERS[:-1], 8, 9, 11, 12, -(2**62), 10**12, 2**46, 2**47)
    for name in _COLUMNS:
        for value in numbers:
            values = columns[name].astype(np.float64 if isinstance(value, float) else object)
            values[-1] = value
            changed = columns | {name: _plain(values)}
            files[f"{name} {value!r}.npz"] = _npz(changed)
            files[f"{name} {value!r}.h5"] = _hdf5(changed)
        for number, other in enumerate(_others(columns[name])):
            files[f"{name} other {number}.npz"] = _npz(columns | {name: other})
            files[f"{name} other {number}.h5"] = _hdf5(columns | {name: other})
        files[f"without {name}.npz"] = _npz({n: v for n, v in columns.items() if n != name})
    files["twice.npz"] = _npz(columns | {"ts": columns["t"]})
    for number, dtype in enumerate(("O", "V8", "<U4", "<c16", "<M8[us]")):
        files[f"type {number}.npy"] = hostile.npy((4,), [(n, dtype) for n in _COLUMNS], bytes(512))
        files[f"field {number}.npy"] = hostile.npy((4,), [("x", dtype, (2, 2))], bytes(512))
    files["empty rows.npy"] = hostile.npy((10**18,), [("x", "V0")])
    for size in range(12):
        files[f"size {size}.bin"] = bytes(size)
    files["overflows.bin"] = bytes((0, 240, 0, 0, 0)) * 2_000 + bytes(5)
    files["bomb.npz"] = hostile.zip_of_zeros(("x.npy", "y.npy", "t.npy", "p.npy"))
    files["frames of zeros.frames"] = bytes(1_000)
    for name, data in _hdf5_links(folder).items():
        files[name] = data
    if importlib.util.find_spec("aedat"):
        files |= _aedat4_files()
    paths = {}
    for number, (name, data) in enumerate(files.items()):
        paths[name] = folder / f"{number}{Path(name).suffix}"
        paths[name].write_bytes(data)
    for ending in (".npz", ".h5", ".bin"):
        made = hostile.no_files(folder, ending)
        paths |= {f"{what}{ending}": path for what, path in made.items()}
    return paths


def use(path: Path) -> None:
    """Read a recording and bin it; kept frames are right, or missing."""
    with tempfile.TemporaryDirectory() as name:
        if path.suffix == _FRAMES:
            cache = FrameCache(Path(name))
            cache.put(_KEY, _kept(), LostEvents(1, 2, 40))
            shutil.copy(path, next(path for path in cache.folder.rglob("*") if path.is_file()))
            found = cache.get(_KEY, _SHAPE)
            assert found is None or np.array_equal(found[0], _kept())
            return
        place = Path(name) / "class" / f"r{path.suffix}"
        place.parent.mkdir()
        place.symlink_to(path)
        events = open_recordings(Path(name), _SENSOR, binning=Binning(2))
        recording, (frames, lost) = events.recording(0), events.frames(0)
    assert frames.shape == _SHAPE and lost.events == len(recording)
    assert int(frames.sum()) + lost.lost == len(recording)


def _plain(values: np.ndarray) -> np.ndarray:
    """Return numbers in the smallest type that holds them, as far as one does."""
    return np.array(values.tolist())


def _others(values: np.ndarray) -> tuple[np.ndarray, ...]:
    return (
        values[:0],
        values[:-1],
        values[::-1].copy(),
        values.reshape(2, -1),
        values.astype(np.complex64),
        values.astype("S8"),
        values.astype(">i8"),
        values.astype(np.float16),
        np.float64(1.0),
        values[None, :, None],
    )


def _npz(columns: dict[str, Any]) -> bytes:
    content = io.BytesIO()
    np.savez(content, **columns)
    return content.getvalue()


def _hdf5(columns: dict[str, Any]) -> bytes:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, values in columns.items():
            if np.asarray(values).dtype.kind not in "OU":
                file[f"events/{name}"] = values
    return content.getvalue()


def _hdf5_links(folder: Path) -> dict[str, bytes]:
    """Return files whose values lie elsewhere, or that claim more than they hold."""
    (folder / "outside").write_bytes(bytes(1_000))
    other = folder / "other.h5"
    other.write_bytes(_hdf5(_columns()))
    found = {}
    for what in ("external", "soft", "raw", "virtual", "claimed", "cycle"):
        content = io.BytesIO()
        with h5py.File(content, "w") as file:
            group = file.create_group("events")
            for name, values in _columns().items():
                if what == "external":
                    group[name] = h5py.ExternalLink(str(other), f"events/{name}")
                elif what == "soft":
                    group[name] = h5py.SoftLink(f"/events/{name}")
                elif what == "raw":
                    place = [(str(folder / "outside"), 0, 320)]
                    group.create_dataset(name, (40,), "<i8", external=place)
                elif what == "virtual":
                    layout = h5py.VirtualLayout((40,), "<i8")
                    layout[:] = h5py.VirtualSource(str(other), f"events/{name}", (40,))
                    group.create_virtual_dataset(name, layout)
                elif what == "claimed":
                    group.create_dataset(name, (10**12,), "<i8", chunks=(1_000,))
                else:
                    group[name] = values
            if what == "cycle":
                group["events"] = group
        found[f"{what}.h5"] = content.getvalue()
    return found


def _aedat4_files() -> dict[str, bytes]:
    """Return files whose packets unpack to more, and whose descriptions are not what they were."""
    content = aedat4.CONTENT
    head, packet = content[:822], content[822:]
    start = content.index(b"<dv")
    files = {
        f"claimed {n}.aedat4": head + struct.pack("<II", 0, n) for n in (0, 1, 2**31, 2**32 - 1)
    }
    frame = b"\x28\xb5\x2f\xfd\x00\x58"  # Zstandard, then blocks that repeat a byte
    block = ((2**17 << 3) | 2).to_bytes(3, "little") + b"\0"
    bomb = frame + block * 24_000 + b"\x01\0\0"
    for compression in range(6):
        changed = bytearray(head)
        changed[_COMPRESSION : _COMPRESSION + 4] = struct.pack("<i", compression)
        files[f"bomb {compression}.aedat4"] = (
            bytes(changed) + struct.pack("<II", 0, len(bomb)) + bomb
        )
    for number, text in enumerate(
        (b"<!DOCTYPE d [<!ENTITY a 'b'>]>", b"<a>" * 30, b"\xff\xfe", b"")
    ):
        files[f"text {number}.aedat4"] = content[:start] + text + content[start + len(text) :]
    for at in range(14, 90):
        files[f"byte {at}.aedat4"] = content[:at] + b"\xff" + content[at + 1 :]
    files["packets.aedat4"] = head + packet * 3
    return files


KIND = Kind("recordings of events", originals, mutate, crafted, use)
