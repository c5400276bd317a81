"""N-MNIST: the digits of MNIST, recorded by an event camera that makes three saccades."""

from pathlib import Path

import torch

from stochi.data.events.binning import Binning
from stochi.data.events.event_set import EventSet
from stochi.data.events.five_bytes import read_five_bytes
from stochi.data.events.frame_cache import FrameCache
from stochi.data.events.recording import Recording
from stochi.data.events.source import RecordingFiles
from stochi.data.published import Published
from stochi.errors import InputError

SHAPE = (2, 34, 34)
CLASSES = 10
PARTS = ("Train", "Test")
PUBLISHED = Published(
    "N-MNIST",
    "Train/<digit>/<number>.bin and Test/<digit>/<number>.bin",
    "https://www.garrickorchard.com/datasets/n-mnist",
)
_FOLDERS = ("nmnist", "N-MNIST", "NMNIST")


def open_nmnist(
    data_dir: str | Path | None, binning: Binning, cache: FrameCache | None = None
) -> tuple[EventSet, EventSet]:
    """Return the training part and the test part of N-MNIST (Orchard et al., 2015), or of a part.

    The order is the published one, by the files' numbers; labels are the folders' names.

    Args:
        data_dir: the folder that holds ``Train/`` and ``Test/``, itself or in ``nmnist/``,
            ``N-MNIST/`` or ``NMNIST/``.
        binning: how recordings become frames.
        cache: where frames are kept, if they are.

    Raises:
        InputError: the set is missing, or a file does not belong to it. Recordings are checked
            when they are read.
    """
    place = _find(PUBLISHED.existing_folder(data_dir))
    training, test = (_open(place / part, binning, cache) for part in PARTS)
    return training, test


def read_nmnist(path: Path) -> Recording:
    """Read a recording of N-MNIST.

    Raises:
        InputError: the file is damaged; the message names it and where the set is published.
    """
    with PUBLISHED.reading(path):
        return read_five_bytes(path, *SHAPE[1:])


def _find(folder: Path) -> Path:
    """Return the folder that contains both parts."""
    places = [*(folder / name for name in _FOLDERS), folder]
    found = ""
    for place in places:
        there = [part for part in PARTS if (place / part).is_dir()]
        if len(there) == len(PARTS):
            return place
        zipped = [f"{place / part}.zip" for part in PARTS if (place / f"{part}.zip").is_file()]
        zipped += [f for f in _lower_case_zips(place) if f not in zipped]
        if there and not found:
            found = f"{place} lacks {', '.join(part for part in PARTS if part not in there)}/"
        elif zipped and not found:
            found = f"unpack {' and '.join(zipped)} first"
    raise PUBLISHED.absent(places, found)


def _lower_case_zips(place: Path) -> list[str]:
    names = (f"{part.lower()}.zip" for part in PARTS)
    return [str(place / name) for name in names if (place / name).is_file()]


def _open(folder: Path, binning: Binning, cache: FrameCache | None) -> EventSet:
    files: list[tuple[int, int, Path]] = []
    for digit in sorted(path for path in folder.iterdir() if path.is_dir()):
        if digit.name not in map(str, range(CLASSES)):
            raise PUBLISHED.absent([folder], f"{digit} is not the folder of a digit, 0 to 9")
        for path in digit.glob("*.bin"):
            if not path.name.startswith("."):
                files.append((_number(path), int(digit.name), path))
    if not files:
        raise PUBLISHED.absent([folder])
    files.sort()
    labels = torch.tensor([label for _, label, _ in files])
    paths = tuple(path for _, _, path in files)
    return EventSet(RecordingFiles(paths, SHAPE, read_nmnist), labels, CLASSES, binning, cache)


def _number(path: Path) -> int:
    if not (path.stem.isascii() and path.stem.isdigit()):
        raise InputError(
            f"{path}: not a recording of N-MNIST, whose files are named by their numbers, like"
            " 00001.bin; move it elsewhere"
        )
    return int(path.stem)
