"""CIFAR-10 and CIFAR-100 in their binary version, unpacked or in the tar: one record per image.

The Python version consists of pickles, which can run code, and is never opened.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stochi.budget import check_memory
from stochi.data.images import Images, images_from_bytes
from stochi.data.published import Published
from stochi.data.unpacking import read_tar
from stochi.errors import InputError
from stochi.files import check_plain_file, is_plain_file

SHAPE = (3, 32, 32)
ADDRESS = "https://www.cs.toronto.edu/~kriz/cifar.html"
_PIXELS = 3 * 32 * 32
_MOST_UNPACKED = 2**28
"""Bytes that an archive may unpack to; both of the published ones have some 185 million."""
_COPIES = 6
"""Bytes that a pixel takes: as it is stored, and as a float, with what is in between."""


@dataclass(frozen=True)
class CifarSet:
    """A data set in the CIFAR layout.

    Attributes:
        published: its title, its files in words, and its address.
        folder, archive: the authors' names for the folder and for the tar that contains it.
        training, test: the names of the files.
        labels: the label bytes before each record's pixels, as (meaning, number of classes); the
            last one is used.
        python_version: files and folders by which the pickled version is recognized.
    """

    published: Published
    folder: str
    archive: str
    training: tuple[str, ...]
    test: str
    labels: tuple[tuple[str, int], ...]
    python_version: tuple[str, ...]


CIFAR10 = CifarSet(
    Published("CIFAR-10", "data_batch_1.bin to data_batch_5.bin and test_batch.bin", ADDRESS),
    "cifar-10-batches-bin",
    "cifar-10-binary.tar.gz",
    tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test_batch.bin",
    (("label", 10),),
    ("cifar-10-batches-py", "cifar-10-python.tar.gz", "batches.meta", "data_batch_1"),
)
CIFAR100 = CifarSet(
    Published("CIFAR-100", "train.bin and test.bin", ADDRESS),
    "cifar-100-binary",
    "cifar-100-binary.tar.gz",
    ("train.bin",),
    "test.bin",
    (("coarse label", 20), ("fine label", 100)),
    ("cifar-100-python", "cifar-100-python.tar.gz", "meta"),
)


def load_cifar10(data_dir: str | Path | None) -> tuple[Images, Images]:
    """Load CIFAR-10 (Krizhevsky, 2009): colour images of 32×32 pixels in 10 classes.

    Args:
        data_dir: the folder that holds the binary version, as its files, as
            ``cifar-10-batches-bin/`` or as ``cifar-10-binary.tar.gz``, which is read in memory.

    Raises:
        InputError: the set is missing, a file is damaged, or only the Python version is there.
    """
    return _load(CIFAR10, data_dir)


def load_cifar100(data_dir: str | Path | None) -> tuple[Images, Images]:
    """Load CIFAR-100 (Krizhevsky, 2009): colour images of 32×32 pixels with the 100 fine labels.

    Args:
        data_dir: the folder that holds the binary version, as its files, as ``cifar-100-binary/``
            or as ``cifar-100-binary.tar.gz``, which is read in memory.

    Raises:
        InputError: the set is missing, a file is damaged, or only the Python version is there.
    """
    return _load(CIFAR100, data_dir)


def _load(wanted: CifarSet, data_dir: str | Path | None) -> tuple[Images, Images]:
    folder = wanted.published.existing_folder(data_dir)
    files = _find(wanted, folder)
    training = [_parse(wanted, name, *files[name]) for name in wanted.training]
    test = _parse(wanted, wanted.test, *files[wanted.test])
    return (
        images_from_bytes(
            np.concatenate([pixels for pixels, _ in training]),
            np.concatenate([labels for _, labels in training]),
        ),
        images_from_bytes(*test),
    )


def _find(wanted: CifarSet, folder: Path) -> dict[str, tuple[str, bytes]]:
    """Return for each file name the name to use in errors and the content."""
    names = (*wanted.training, wanted.test)
    archive = folder / wanted.archive
    incomplete = ""
    for place in (folder / wanted.folder, folder):
        missing = [name for name in names if not is_plain_file(place / name)]
        if not missing:
            return {n: (str(place / n), _read(wanted.published, place / n)) for n in names}
        if len(missing) < len(names) and not incomplete:
            incomplete = f"{place} lacks {', '.join(missing)}"
    if is_plain_file(archive):
        return _unpack(wanted.published, archive, names)
    pickled = [folder / name for name in wanted.python_version if (folder / name).exists()]
    if pickled and not incomplete:
        incomplete = (
            f"{pickled[0]} is the Python version, whose pickles are never loaded; get the binary"
            f" version, {wanted.archive}"
        )
    raise wanted.published.absent((folder / wanted.folder, folder, archive), incomplete)


def _unpack(
    published: Published, archive: Path, names: tuple[str, ...]
) -> dict[str, tuple[str, bytes]]:
    """Read the named files of a tar.gz in memory.

    Nothing is written to disk, so no path in the archive can do harm.
    """
    with published.reading(archive):
        check_plain_file(archive)
        files = read_tar(archive, names, _MOST_UNPACKED)
        missing = [name for name in names if name not in files]
        if missing:
            raise InputError(f"the archive does not contain {', '.join(missing)}")
    return {name: (f"{archive}: {name}", content) for name, content in files.items()}


def _read(published: Published, path: Path) -> bytes:
    with published.reading(path):
        check_plain_file(path)
        check_memory(_COPIES * path.stat().st_size, "its content")
        return path.read_bytes()


def _parse(
    wanted: CifarSet, name: str, called: str, content: bytes
) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels (n, 3, 32, 32) and labels (n,), both uint8."""
    record = len(wanted.labels) + _PIXELS
    with wanted.published.reading(called):
        if not content:
            raise InputError("is empty")
        if len(content) % record:
            raise InputError(
                f"{len(content)} bytes are not a whole number of records of {record} bytes; the"
                f" file is truncated, or it is not {wanted.published.title}'s {name}"
            )
        records = np.frombuffer(content, np.uint8).reshape(-1, record)
        for column, (kind, classes) in enumerate(wanted.labels):
            labels = records[:, column]
            if labels.max() >= classes:
                at = int((labels >= classes).argmax())
                raise InputError(
                    f"image {at} has {kind} {labels[at]}; it must be from 0 to {classes - 1}"
                )
    return records[:, -_PIXELS:].reshape(-1, *SHAPE), labels
