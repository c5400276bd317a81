"""MNIST and Fashion-MNIST: four IDX files each, with the same names, gzipped or plain."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stochi.budget import check_memory
from stochi.data.idx import claimed_size, header_size, parse_idx
from stochi.data.images import Images, images_from_bytes
from stochi.data.published import Published
from stochi.data.unpacking import read_gzip
from stochi.errors import InputError
from stochi.files import check_plain_file, is_plain_file

CLASSES = 10
SHAPE = (1, 28, 28)
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_COPIES = 6
"""Bytes that a pixel takes: as it is stored, and as a float, with what is in between."""
_MOST_PACKED = 1032
"""Bytes that a byte of gzip can hold."""
_BEYOND = 2**20
"""Bytes that are read beyond a content's end, to tell how many there are, and the checksum."""
_IN_WORDS = f"{', '.join(FILES)} (or these with .gz)"


@dataclass(frozen=True)
class IdxSet:
    """A data set in the MNIST layout.

    Attributes:
        published: its title, its files in words, and its address.
        folders: names of its own folders inside the user's, including torchvision's layout.
        first_labels: the first training labels and the first test labels. The files of both sets
            have the same names and sizes, so only these labels tell them apart.
    """

    published: Published
    folders: tuple[str, ...]
    first_labels: tuple[bytes, bytes]


MNIST = IdxSet(
    Published(
        "MNIST",
        _IN_WORDS,
        "http://yann.lecun.com/exdb/mnist/ (mirror: https://ossci-datasets.s3.amazonaws.com/mnist/)",
    ),
    ("mnist", "mnist/raw", "MNIST", "MNIST/raw"),
    (bytes((5, 0, 4, 1, 9, 2, 1, 3, 1, 4)), bytes((7, 2, 1, 0, 4, 1, 4, 9, 5, 9))),
)
FASHION_MNIST = IdxSet(
    Published("Fashion-MNIST", _IN_WORDS, "https://github.com/zalandoresearch/fashion-mnist"),
    ("fashion-mnist", "fashion-mnist/raw", "FashionMNIST", "FashionMNIST/raw"),
    (bytes((9, 0, 0, 3, 0, 2, 7, 2, 5, 5)), bytes((9, 2, 1, 1, 6, 1, 4, 6, 5, 7))),
)


def load_mnist(data_dir: str | Path | None) -> tuple[Images, Images]:
    """Load MNIST (LeCun, Bottou, Bengio and Haffner, 1998): handwritten digits of 28×28 pixels.

    Args:
        data_dir: the folder that holds the four files, directly or in ``mnist/`` or
            ``MNIST/raw/``.

    Raises:
        InputError: the set is missing, a file is damaged, or the files are Fashion-MNIST's.
    """
    return _load(MNIST, FASHION_MNIST, data_dir)


def load_fashion_mnist(data_dir: str | Path | None) -> tuple[Images, Images]:
    """Load Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017): clothes of 28×28 pixels in 10 classes.

    Args:
        data_dir: the folder that holds the four files, directly or in ``fashion-mnist/`` or
            ``FashionMNIST/raw/``.

    Raises:
        InputError: the set is missing, a file is damaged, or the files are MNIST's.
    """
    return _load(FASHION_MNIST, MNIST, data_dir)


def _load(wanted: IdxSet, other: IdxSet, data_dir: str | Path | None) -> tuple[Images, Images]:
    folder = wanted.published.existing_folder(data_dir)
    # A folder with the set's own name comes first: files outside could be the other set's.
    files = _find(wanted.published, [*(folder / name for name in wanted.folders), folder])
    training, test = (
        _read_part(wanted, other, part, files[2 * part], files[2 * part + 1]) for part in (0, 1)
    )
    return training, test


def _find(published: Published, folders: Sequence[Path]) -> list[Path]:
    """Return the paths of the four files, all from one folder."""
    incomplete = ""
    for folder in folders:
        found = [_plain_or_gzipped(folder / name) for name in FILES]
        files = [file for file in found if file is not None]
        if len(files) == len(FILES):
            return files
        if files and not incomplete:
            missing = [name for name, file in zip(FILES, found, strict=True) if file is None]
            incomplete = f"{folder} lacks {', '.join(missing)}"
    raise published.absent(folders, incomplete)


def _plain_or_gzipped(path: Path) -> Path | None:
    for candidate in (path, path.with_name(f"{path.name}.gz")):
        if is_plain_file(candidate):
            return candidate
    return None


def _read_part(
    wanted: IdxSet, other: IdxSet, part: int, image_file: Path, label_file: Path
) -> Images:
    with wanted.published.reading(image_file):
        pixels = parse_idx(_read(image_file, 3), dimensions=3)
        if pixels.shape[1:] != SHAPE[1:]:
            height, width = pixels.shape[1:]
            raise InputError(f"it holds images of {height}×{width} pixels, not 28×28")
    with wanted.published.reading(label_file):
        labels = parse_idx(_read(label_file, 1), dimensions=1)
        if labels.max() >= CLASSES:
            at = int((labels >= CLASSES).argmax())
            raise InputError(f"label {at} is {labels[at]}; labels must be from 0 to {CLASSES - 1}")
        if len(labels) != len(pixels):
            raise InputError(f"it holds {len(labels)} labels for {len(pixels)} images")
    _check_not_other_set(wanted, other, part, label_file, labels)
    return images_from_bytes(pixels[:, None], labels)


def _check_not_other_set(
    wanted: IdxSet, other: IdxSet, part: int, file: Path, labels: np.ndarray
) -> None:
    beginning = other.first_labels[part]
    if labels[: len(beginning)].tobytes() == beginning:
        raise InputError(
            f"{file}: these are the labels of {other.published.title}, not of"
            f" {wanted.published.title}, whose files have the same names; keep each set in its own"
            f" folder, {other.folders[0]}/ and {wanted.folders[0]}/"
        )


def _read(path: Path, dimensions: int) -> bytes:
    """Return a file's content, unpacked as far as the sizes in its header go, and a little more."""
    check_plain_file(path)
    packed = path.stat().st_size
    if path.suffix != ".gz":
        check_memory(_COPIES * packed, "its content")
        return path.read_bytes()
    claimed = claimed_size(read_gzip(path, header_size(dimensions)), dimensions)
    size = min(claimed, _MOST_PACKED * packed)
    check_memory(_COPIES * size, "its content")
    return read_gzip(path, size + _BEYOND)
