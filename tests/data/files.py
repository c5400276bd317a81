"""Small data sets in the published formats, written by hand: numpy and struct only."""

import gzip
import io
import struct
import tarfile
from pathlib import Path

import numpy as np

MNIST_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
CIFAR10_FILES = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
Arrays = list[tuple[np.ndarray, np.ndarray]]


def idx(array: np.ndarray) -> bytes:
    """Return the content of an IDX file of unsigned bytes."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_mnist(folder: Path, seed: int = 0, count: int = 40, zipped: bool = False) -> Arrays:
    """Write the four files and return their training part and test part."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for part, size in enumerate((count, count // 2)):
        pixels = random.integers(0, 256, (size, 28, 28), np.uint8)
        labels = (np.arange(size) % 10).astype(np.uint8)
        for name, array in zip(MNIST_FILES[2 * part :], (pixels, labels), strict=False):
            content = idx(array)
            if zipped:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)
        parts.append((pixels[:, None], labels))
    return parts


def write_cifar10(folder: Path, seed: int = 0, count: int = 8) -> Arrays:
    """Write five batches and the test batch, of ``count`` images each, and return both parts."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    batches = []
    for name in CIFAR10_FILES:
        pixels = random.integers(0, 256, (count, 3, 32, 32), np.uint8)
        labels = random.integers(0, 10, count).astype(np.uint8)
        records = np.concatenate([labels[:, None], pixels.reshape(count, -1)], axis=1)
        (folder / name).write_bytes(records.tobytes())
        batches.append((pixels, labels))
    training = tuple(np.concatenate(arrays) for arrays in zip(*batches[:5], strict=True))
    return [(training[0], training[1]), batches[5]]


def write_cifar100(folder: Path, seed: int = 0, count: int = 8) -> Arrays:
    """Write both files and return both parts with their fine labels."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for name in ("train.bin", "test.bin"):
        pixels = random.integers(0, 256, (count, 3, 32, 32), np.uint8)
        coarse = random.integers(0, 20, count).astype(np.uint8)
        fine = random.integers(20, 100, count).astype(np.uint8)
        records = np.concatenate(
            [coarse[:, None], fine[:, None], pixels.reshape(count, -1)], axis=1
        )
        (folder / name).write_bytes(records.tobytes())
        parts.append((pixels, fine))
    return parts


def pack(archive: Path, folder: str, files: dict[str, bytes]) -> None:
    """Write a tar.gz as the authors pack it: one folder that contains the files."""
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
