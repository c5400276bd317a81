"""CIFAR-10 and CIFAR-100 in their binary version: a record an image, unpacked or still in the tar.

The Python version is pickles, which can run code, and is never opened.
"""

import gzip
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from stochi.data.images import Images, images_from_bytes
from stochi.data.published import Published
from stochi.errors import InputError

SHAPE = (3, 32, 32)
ADDRESS = "https://www.cs.toronto.edu/~kriz/cifar.html"
_PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class CifarSet:
    """One set of that layout.

    Attributes:
        folder, archive: what the authors call the folder and the tar that it comes in.
        training, test: the files' names.
        labels: the label bytes before each record's pixels, as (what it is, how many classes);
            the last one is used.
        python_version: what gives the pickled version away.
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
    """CIFAR-10 (Krizhevsky, 2009): colour images of 32×32 pixels in 10 classes.

    Args:
        data_dir: the folder that holds the binary version: its files, ``cifar-10-batches-bin/``
            or ``cifar-10-binary.tar.gz``, which is read in memory.

    Raises:
        InputError: the set is not there, a file is damaged, or only the Python version is there.
    """
    return _load(CIFAR10, data_dir)


def load_cifar100(data_dir: str | Path | None) -> tuple[Images, Images]:
    """CIFAR-100 (Krizhevsky, 2009): colour images of 32×32 pixels, with its 100 fine labels.

    Args:
        data_dir: the folder that holds the binary version: its files, ``cifar-100-binary/`` or
            ``cifar-100-binary.tar.gz``, which is read in memory.

    Raises:
        InputError: the set is not there, a file is damaged, or only the Python version is there.
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
    """Each file's name → what to call it in an error, and its content."""
    names = (*wanted.training, wanted.test)
    archive = folder / wanted.archive
    incomplete = ""
    for place in (folder / wanted.folder, folder):
        missing = [name for name in names if not (place / name).is_file()]
        if not missing:
            return {name: (str(place / name), (place / name).read_bytes()) for name in names}
        if len(missing) < len(names) and not incomplete:
            incomplete = f"{place} lacks {', '.join(missing)}"
    if archive.is_file():
        return _unpack(wanted.published, archive, names)
    pickled = [folder / name for name in wanted.python_version if (folder / name).exists()]
    if pickled and not incomplete:
        incomplete = (
            f"{pickled[0]} is the Python version, pickles, which are never loaded: get the"
            f" binary version, {wanted.archive}"
        )
    raise wanted.published.absent((folder / wanted.folder, folder, archive), incomplete)


def _unpack(
    published: Published, archive: Path, names: tuple[str, ...]
) -> dict[str, tuple[str, bytes]]:
    """The named files of a tar.gz, in memory: nothing is written, so no path in it can do harm."""
    files = {}
    with published.reading(archive):
        # Unzipped as a whole, because tarfile stops before gzip's checksum.
        plain = io.BytesIO(gzip.decompress(archive.read_bytes()))
        with tarfile.open(fileobj=plain, mode="r:") as tar:
            for member in tar:
                name = PurePosixPath(member.name).name
                content = tar.extractfile(member) if member.isfile() and name in names else None
                if content is not None:
                    files[name] = (f"{archive}: {name}", content.read())
        missing = [name for name in names if name not in files]
        if missing:
            raise InputError(f"it holds no {', '.join(missing)}")
    return files


def _parse(
    wanted: CifarSet, name: str, called: str, content: bytes
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, 3, 32, 32) and labels (n,), both uint8."""
    record = len(wanted.labels) + _PIXELS
    with wanted.published.reading(called):
        if not content:
            raise InputError("is empty")
        if len(content) % record:
            raise InputError(
                f"{len(content)} bytes are no whole number of records of {record} bytes: truncated,"
                f" or not {wanted.published.title}'s {name}"
            )
        records = np.frombuffer(content, np.uint8).reshape(-1, record)
        for column, (kind, classes) in enumerate(wanted.labels):
            labels = records[:, column]
            if labels.max() >= classes:
                at = int((labels >= classes).argmax())
                raise InputError(
                    f"image {at} has {kind} {labels[at]}; it goes from 0 to {classes - 1}"
                )
    return records[:, -_PIXELS:].reshape(-1, *SHAPE), labels
