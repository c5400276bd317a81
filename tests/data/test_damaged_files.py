"""Damaged files are reported in one line with the name, what is wrong, and where to get them."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stochi.data import load
from stochi.errors import InputError
from tests.data.files import (
    CIFAR10_FILES,
    MNIST_FILES,
    idx,
    pack,
    write_cifar10,
    write_cifar100,
    write_mnist,
)

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = MNIST_FILES
MNIST_ADDRESS = "http://yann.lecun.com/exdb/mnist/"
MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
FASHION_ADDRESS = "https://github.com/zalandoresearch/fashion-mnist"
CIFAR_ADDRESS = "https://www.cs.toronto.edu/~kriz/cifar.html"
MNIST_TRAINING_BEGINS = bytes((5, 0, 4, 1, 9, 2, 1, 3, 1, 4))
FASHION_TEST_BEGINS = bytes((9, 2, 1, 1, 6, 1, 4, 6, 5, 7))


def check_error(name: str, folder: Path | None, *says: str) -> None:
    with pytest.raises(InputError) as caught:
        load(name, folder)
    message = str(caught.value)
    assert "\n" not in message
    for words in says:
        assert words in message, message


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("mnist", (*MNIST_FILES, MNIST_ADDRESS, MIRROR)),
        ("fashion-mnist", (*MNIST_FILES, FASHION_ADDRESS)),
        ("cifar10", ("data_batch_1.bin", "test_batch.bin", CIFAR_ADDRESS)),
        ("cifar100", ("train.bin", "test.bin", CIFAR_ADDRESS)),
    ],
)
def test_a_missing_set(tmp_path: Path, name: str, says: tuple[str, ...]) -> None:
    check_error(name, None, "--data-dir", *says)
    check_error(name, tmp_path / "nowhere", "nowhere: no such folder", *says)
    check_error(name, tmp_path, "looked for", str(tmp_path), *says)


def test_an_incomplete_set(tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist")
    (tmp_path / "mnist" / TEST_LABELS).unlink()
    check_error("mnist", tmp_path, f"mnist lacks {TEST_LABELS}", MNIST_ADDRESS)
    write_cifar10(tmp_path)
    (tmp_path / "data_batch_4.bin").unlink()
    check_error("cifar10", tmp_path, f"{tmp_path} lacks data_batch_4.bin", CIFAR_ADDRESS)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("cifar10", "cifar-10-batches-py/data_batch_1"),
        ("cifar10", "cifar-10-python.tar.gz"),
        ("cifar10", "data_batch_1"),
        ("cifar100", "cifar-100-python/train"),
        ("cifar100", "cifar-100-python.tar.gz"),
    ],
)
def test_pickles_are_not_opened(tmp_path: Path, name: str, file: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_bytes(b"cos\nsystem\n(S'touch evil-ran'\ntR.")
    archive = f"cifar-{name.removeprefix('cifar')}-binary.tar.gz"
    check_error(name, tmp_path, "Python version", "never loaded", archive, CIFAR_ADDRESS)


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        (TRAIN_IMAGES, lambda old: b"", "is empty"),
        (TRAIN_IMAGES, lambda old: b"<html>", "begins with the bytes 3c 68 74 6d"),
        (TRAIN_IMAGES, lambda old: b"\0\0\x0d\3" + old[4:], "begins with the bytes 00 00 0d 03"),
        (
            TRAIN_IMAGES,
            lambda old: old[:11],
            "truncated: it ends after 11 bytes, inside its header",
        ),
        (TRAIN_IMAGES, lambda old: old[:-1], "truncated: 40×28×28 need 31360 bytes"),
        (TEST_IMAGES, lambda old: old + b"xy", "2 bytes follow the 20×28×28"),
        (TEST_IMAGES, lambda old: old[:4] + struct.pack(">3I", *[2**32 - 1] * 3), "truncated"),
        (TEST_IMAGES, lambda old: idx(np.zeros((20, 32, 32), np.uint8)), "32×32 pixels"),
        (
            TEST_IMAGES,
            lambda old: idx(np.zeros((0, 28, 28), np.uint8)),
            "0×28×28, so the array is empty",
        ),
        (TRAIN_LABELS, lambda old: old[:9] + b"\x0a" + old[10:], "label 1 is 10"),
        (TRAIN_LABELS, lambda old: idx(np.zeros(41, np.uint8)), "41 labels for 40 images"),
        (TEST_LABELS, lambda old: old[:-3], "truncated: 20 need 20 bytes"),
        (TEST_LABELS, lambda old: idx(np.zeros((20, 28, 28), np.uint8)), "00 00 08 03"),
    ],
)
def test_damaged_idx(
    tmp_path: Path, file: str, change: Callable[[bytes], bytes], says: str
) -> None:
    for zipped in (False, True):
        folder = tmp_path / str(zipped)
        write_mnist(folder, zipped=zipped)
        path = folder / (f"{file}.gz" if zipped else file)
        content = path.read_bytes()
        changed = change(gzip.decompress(content) if zipped else content)
        path.write_bytes(gzip.compress(changed) if zipped else changed)
        check_error("fashion-mnist", folder, str(path), says, f"again from {FASHION_ADDRESS}")


@pytest.mark.parametrize(
    "change",
    [
        lambda old: b"not gzip",
        lambda old: old[: len(old) // 2],
        lambda old: old[:-8] + b"\0\0\0\0" + old[-4:],
        lambda old: old[:40] + b"\xff" * 40 + old[80:],
    ],
    ids=["foreign", "truncated", "checksum", "bytes"],
)
def test_damaged_gzip(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    write_mnist(tmp_path, zipped=True)
    path = tmp_path / f"{TEST_IMAGES}.gz"
    path.write_bytes(change(path.read_bytes()))
    check_error("mnist", tmp_path, str(path), "damaged gzip", MNIST_ADDRESS)


def test_the_other_sets_files_raise_an_error(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    path = tmp_path / TRAIN_LABELS
    path.write_bytes(path.read_bytes()[:8] + MNIST_TRAINING_BEGINS + path.read_bytes()[18:])
    load("mnist", tmp_path)
    check_error("fashion-mnist", tmp_path, str(path), "labels of MNIST", "fashion-mnist/")
    write_mnist(tmp_path)
    path = tmp_path / TEST_LABELS
    path.write_bytes(path.read_bytes()[:8] + FASHION_TEST_BEGINS + path.read_bytes()[18:])
    load("fashion-mnist", tmp_path)
    check_error("mnist", tmp_path, str(path), "labels of Fashion-MNIST", "mnist/")


@pytest.mark.parametrize(
    ("name", "file", "change", "says"),
    [
        ("cifar10", "data_batch_2.bin", lambda old: old[:-1], "are not a whole number of records"),
        ("cifar10", "test_batch.bin", lambda old: old + b"x", "are not a whole number of records"),
        ("cifar10", "data_batch_5.bin", lambda old: b"", "is empty"),
        ("cifar10", "test_batch.bin", lambda old: b"\x0a" + old[1:], "image 0 has label 10"),
        ("cifar100", "train.bin", lambda old: old[:-2], "are not a whole number of records"),
        ("cifar100", "train.bin", lambda old: b"\x14" + old[1:], "coarse label 20"),
        ("cifar100", "test.bin", lambda old: old[:1] + b"\x64" + old[2:], "fine label 100"),
    ],
)
def test_damaged_cifar(
    tmp_path: Path, name: str, file: str, change: Callable[[bytes], bytes], says: str
) -> None:
    (write_cifar10 if name == "cifar10" else write_cifar100)(tmp_path)
    path = tmp_path / file
    path.write_bytes(change(path.read_bytes()))
    check_error(name, tmp_path, str(path), says, f"again from {CIFAR_ADDRESS}")


def test_damaged_tar(tmp_path: Path) -> None:
    write_cifar10(tmp_path / "elsewhere")
    files = {name: (tmp_path / "elsewhere" / name).read_bytes() for name in CIFAR10_FILES}
    archive = tmp_path / "cifar-10-binary.tar.gz"
    pack(archive, "cifar-10-batches-bin", files)
    content = archive.read_bytes()
    plain = gzip.decompress(content)
    for damaged, says in (
        (content[: len(content) // 2], "damaged gzip"),
        (content[:-8] + b"\0\0\0\0" + content[-4:], "damaged gzip"),
        (b"hello", "damaged gzip"),
        (gzip.compress(b"hello" * 999), "damaged tar"),
        (gzip.compress(plain[: len(plain) // 2]), ""),
    ):
        archive.write_bytes(damaged)
        check_error("cifar10", tmp_path, str(archive), says, f"again from {CIFAR_ADDRESS}")
    pack(archive, "cifar-10-batches-bin", dict(list(files.items())[:-1]))
    check_error("cifar10", tmp_path, str(archive), "does not contain test_batch.bin")
    pack(archive, "cifar-10-batches-bin", {**files, "data_batch_3.bin": b"\x0b" * 3073})
    check_error("cifar10", tmp_path, f"{archive}: data_batch_3.bin", "label 11")
