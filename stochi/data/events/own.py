"""Sets of recordings of one's own: a folder for each class."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import torch

from stochi.arguments import check_arguments, shown
from stochi.data.events.aedat4 import read_aedat4
from stochi.data.events.binning import Binning
from stochi.data.events.event_set import EventSet
from stochi.data.events.fields import read_hdf5, read_numpy
from stochi.data.events.five_bytes import read_five_bytes
from stochi.data.events.frame_cache import open_cache
from stochi.data.events.numbered_names import by_numbers
from stochi.data.events.recording import Recording
from stochi.data.events.source import RecordingFiles
from stochi.data.events.time_units import TimeUnit, check_plausible, check_unit
from stochi.errors import InputError
from stochi.files import named_folder


def _read_five_bytes(path: Path, height: int, width: int) -> Recording:
    try:
        return read_five_bytes(path, height, width)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


_OF_CAMERAS: dict[str, Callable[[Path, int, int], Recording]] = {
    ".aedat4": read_aedat4,
    ".bin": _read_five_bytes,
}
"""Readers of formats whose times are microseconds."""
_OF_ARRAYS: dict[str, Callable[[Path, int, int, str | None], Recording]] = {
    ".npz": read_numpy,
    ".npy": read_numpy,
    ".h5": read_hdf5,
    ".hdf5": read_hdf5,
}
"""Readers of formats that do not say the unit of their times."""
_ENDINGS = (".aedat4", *_OF_ARRAYS, ".bin")
_LARGEST = 2**15


@dataclass(frozen=True)
class _Reader:
    """Reading of one sensor's files, by their endings.

    Attributes:
        height, width: size of the sensor.
        unit: of the times in arrays; None: not known.
        binning: how recordings become frames, by which a wrong unit shows.
    """

    height: int
    width: int
    unit: TimeUnit | None
    binning: Binning

    def __call__(self, path: Path) -> Recording:
        ending = path.suffix.lower()
        if ending in _OF_CAMERAS:
            return _OF_CAMERAS[ending](path, self.height, self.width)
        recording = _OF_ARRAYS[ending](path, self.height, self.width, self.unit)
        if self.unit is None:
            try:
                check_plausible(recording, self.binning)
            except InputError as error:
                raise InputError(f"{path}: {error}") from error
        return recording


def open_recordings(
    folder: str | Path,
    sensor: tuple[int, int],
    *,
    classes: Sequence[str] | EventSet | None = None,
    binning: Binning | None = None,
    time_unit: TimeUnit | None = None,
    cache: str | Path | None = None,
) -> EventSet:
    """Open a set of recordings of one's own, which stay on disk: ``<folder>/<class>/<file>``.

    Files may be ``.aedat4``, ``.npz``, ``.npy``, ``.h5``, ``.hdf5`` or ``.bin`` (five bytes an
    event); ``docs/data.md`` says what must be in them. The first recording of each class comes
    first, then the second of each, and so on, by their names, with numbers in names by value.

    Args:
        folder: the folder that holds a folder for each class.
        sensor: (height, width) of the camera in pixels.
        classes: names of the classes in the order of their labels, which may include classes
            without recordings; by default those of the folders in order. For a test part give the
            training part, or its ``class_names``.
        binning: how recordings become frames; ten steps of equal time by default.
        time_unit: of times in numpy's and HDF5's files, ``"s"``, ``"ms"``, ``"us"`` or ``"ns"``;
            they are rounded to whole microseconds. None: whole microseconds, and an error for
            times that can hardly be. The other formats have microseconds.
        cache: a folder in which frames are kept from one run to the next.

    Raises:
        InputError: there is no recording, a class is unknown, a file has another ending, or
            ``classes`` is left out and a folder beside this one has classes that are missing here,
            so that labels would have another meaning.
    """
    check_arguments(open_recordings, locals(), besides=("classes", "sensor"))
    check_unit(time_unit)
    height, width = _checked_sensor(sensor)
    root = named_folder(folder)
    names = _numbered_classes(root, classes)
    in_turn = zip_longest(*(_files(root / name) for name in names))
    found = [(path, at) for turn in in_turn for at, path in enumerate(turn) if path is not None]
    if not found:
        raise InputError(
            f"{root}: holds no recording; put them into a folder for each class, as in"
            f" {root / 'class' / 'recording.npz'}"
        )
    paths = tuple(path for path, _ in found)
    chosen = binning or Binning()
    reader = _Reader(height, width, time_unit, chosen)
    files = RecordingFiles(paths, (2, height, width), reader, f":{time_unit}" if time_unit else "")
    labels = torch.tensor([label for _, label in found])
    return EventSet(files, labels, len(names), chosen, open_cache(cache), tuple(names))


def _checked_sensor(sensor: tuple[int, int]) -> tuple[int, int]:
    sizes = tuple(sensor) if isinstance(sensor, tuple | list) else ()
    if len(sizes) != 2 or not all(type(size) is int and 1 <= size <= _LARGEST for size in sizes):
        raise InputError(
            f"sensor is {shown(sensor)}; give (height, width), two whole numbers from 1 to"
            f" {_LARGEST:,}"
        )
    return sizes[0], sizes[1]


def _numbered_classes(root: Path, classes: Sequence[str] | EventSet | None) -> list[str]:
    """Return the names of the classes in the order of their labels."""
    here = _class_names(root)
    if classes is None:
        _check_beside(root, here)
        return here
    given = classes.class_names if isinstance(classes, EventSet) else classes
    if not isinstance(given, tuple | list) or not given or {type(name) for name in given} != {str}:
        raise InputError(
            f"classes is {shown(given)}; give the names of the folders in the order of their"
            " labels, or a set that open_recordings returned"
        )
    names = list(given)
    if len(set(names)) < len(names):
        raise InputError(f"a class is named twice in {', '.join(names)}")
    unknown = [name for name in here if name not in names]
    if unknown:
        raise InputError(f"{root / unknown[0]}: no such class; classes are {', '.join(names)}")
    return names


def _check_beside(root: Path, here: list[str]) -> None:
    """Raise InputError if another part of the set, in a folder beside this one, has more classes.

    A folder is taken for another part if it has most of the classes.
    """
    place = root.resolve()
    for beside in _beside(place):
        if 2 * sum((beside / name).is_dir() for name in here) <= len(here):
            continue
        missing = [name for name in _folders(beside) if name not in here]
        if missing:
            raise InputError(
                f"{root}: lacks {', '.join(missing)} of {beside}, so a label would mean another"
                " class than there; give classes= the names of all classes, or the training part"
                " (if the folders do not belong together, this one's own names)"
            )


def _beside(place: Path) -> list[Path]:
    try:
        folders = [path for path in place.parent.iterdir() if path.is_dir() and path != place]
    except OSError:  # nothing can be said of a folder that cannot be read
        return []
    return sorted(path for path in folders if os.access(path, os.R_OK | os.X_OK))


def _class_names(root: Path) -> list[str]:
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give one that holds a folder for each class")
    loose = [path for path in root.iterdir() if path.suffix.lower() in _ENDINGS and path.is_file()]
    if loose:
        raise InputError(f"{min(loose)}: lies in no class; move it into a folder for its class")
    return _folders(root)


def _folders(root: Path) -> list[str]:
    """Return the names of the folders in a folder, in order."""
    try:
        inside = [path.name for path in root.iterdir() if path.is_dir()]
    except OSError as error:
        raise InputError(f"{root}: cannot be read ({error.strerror or error})") from error
    return sorted((name for name in inside if not name.startswith(".")), key=by_numbers)


def _files(folder: Path) -> list[Path]:
    """Return a class's recordings in order; a class may have none."""
    if not folder.is_dir():
        return []
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    foreign = [path for path in files if path.suffix.lower() not in _ENDINGS]
    if foreign:
        raise InputError(
            f"{min(foreign)}: not a recording; their names end in {', '.join(_ENDINGS)}; move it"
            " elsewhere"
        )
    return sorted(files, key=lambda path: by_numbers(path.name))
