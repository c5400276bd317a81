"""Sets of recordings of one's own: a folder for each class."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from stochi.data.events.aedat4 import read_aedat4
from stochi.data.events.binning import Binning
from stochi.data.events.event_set import EventSet
from stochi.data.events.fields import read_hdf5, read_numpy
from stochi.data.events.five_bytes import parse_five_bytes
from stochi.data.events.frame_cache import open_cache
from stochi.data.events.numbered_names import by_numbers
from stochi.data.events.recording import Recording
from stochi.data.events.source import RecordingFiles
from stochi.errors import InputError


def _read_five_bytes(path: Path, height: int, width: int) -> Recording:
    try:
        return parse_five_bytes(path.read_bytes(), height, width)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


_READERS: dict[str, Callable[[Path, int, int], Recording]] = {
    ".aedat4": read_aedat4,
    ".npz": read_numpy,
    ".npy": read_numpy,
    ".h5": read_hdf5,
    ".hdf5": read_hdf5,
    ".bin": _read_five_bytes,
}
_LARGEST = 2**15


@dataclass(frozen=True)
class _Reader:
    """Reading of one sensor's files, by their endings."""

    height: int
    width: int

    def __call__(self, path: Path) -> Recording:
        return _READERS[path.suffix.lower()](path, self.height, self.width)


def open_recordings(
    folder: str | Path,
    sensor: tuple[int, int],
    *,
    classes: Sequence[str] | None = None,
    binning: Binning | None = None,
    cache: str | Path | None = None,
) -> EventSet:
    """Open a set of recordings of one's own, which stay on disk: ``<folder>/<class>/<file>``.

    Files may be ``.aedat4``, ``.npz``, ``.npy``, ``.h5``, ``.hdf5`` or ``.bin`` (five bytes an
    event); ``docs/data.md`` says what must be in them. They are ordered by their names, classes
    first, with numbers in names by value.

    Args:
        folder: the folder that holds a folder for each class.
        sensor: (height, width) of the camera in pixels.
        classes: names of the classes in the order of their labels; by default those of the folders
            in order. For a test part give ``class_names`` of the training part.
        binning: how recordings become frames; ten steps of equal time by default.
        cache: a folder in which frames are kept from one run to the next.

    Raises:
        InputError: there is no recording, a class is unknown, or a file has another ending.
    """
    height, width = _checked_sensor(sensor)
    root = Path(folder).expanduser()
    names = _class_names(root) if classes is None else list(classes)
    if len(set(names)) < len(names):
        raise InputError(f"a class is named twice in {', '.join(names)}")
    unknown = [name for name in _class_names(root) if name not in names]
    if unknown:
        raise InputError(f"{root / unknown[0]}: no such class; classes are {', '.join(names)}")
    found = [(path, at) for at, name in enumerate(names) for path in _files(root / name)]
    if not found:
        raise InputError(
            f"{root}: holds no recording; put them into a folder for each class, as in"
            f" {root / 'class' / 'recording.npz'}"
        )
    paths = tuple(path for path, _ in found)
    files = RecordingFiles(paths, (2, height, width), _Reader(height, width))
    labels = torch.tensor([label for _, label in found])
    chosen = binning or Binning()
    return EventSet(files, labels, len(names), chosen, open_cache(cache), tuple(names))


def _checked_sensor(sensor: tuple[int, int]) -> tuple[int, int]:
    sizes = tuple(sensor) if isinstance(sensor, tuple | list) else ()
    if len(sizes) != 2 or not all(type(size) is int and 1 <= size <= _LARGEST for size in sizes):
        raise InputError(
            f"sensor is {sensor!r}; give (height, width), two whole numbers from 1 to {_LARGEST:,}"
        )
    return sizes[0], sizes[1]


def _class_names(root: Path) -> list[str]:
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give one that holds a folder for each class")
    loose = [path for path in root.iterdir() if path.suffix.lower() in _READERS and path.is_file()]
    if loose:
        raise InputError(f"{min(loose)}: lies in no class; move it into a folder for its class")
    inside = (path.name for path in root.iterdir() if path.is_dir())
    return sorted((name for name in inside if not name.startswith(".")), key=by_numbers)


def _files(folder: Path) -> list[Path]:
    """Return a class's recordings in order; a class may have none."""
    if not folder.is_dir():
        return []
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    foreign = [path for path in files if path.suffix.lower() not in _READERS]
    if foreign:
        raise InputError(
            f"{min(foreign)}: not a recording; their names end in {', '.join(_READERS)}; move it"
            " elsewhere"
        )
    return sorted(files, key=lambda path: by_numbers(path.name))
