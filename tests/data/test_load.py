import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from stochi.data import Images, load, load_digits
from stochi.errors import InputError
from tests.data.files import (
    Arrays,
    pack,
    write_cifar10,
    write_cifar100,
    write_mnist,
)

WRITERS = {
    "mnist": write_mnist,
    "fashion-mnist": write_mnist,
    "cifar10": write_cifar10,
    "cifar100": write_cifar100,
}


def check(loaded: tuple[Images, Images], written: Arrays) -> None:
    for images, (pixels, labels) in zip(loaded, written, strict=True):
        assert images.inputs.dtype == torch.float32 and images.labels.dtype == torch.int64
        assert images.inputs.shape == pixels.shape
        assert float(images.inputs.min()) >= 0 and float(images.inputs.max()) <= 1
        # The chip's input rounds like this and recovers the same bytes.
        assert np.array_equal((images.inputs.double() * 255).round().numpy(), pixels)
        assert np.array_equal(images.labels.numpy(), labels)


@pytest.mark.parametrize("name", WRITERS)
def test_files_directly_in_the_folder(tmp_path: Path, name: str) -> None:
    written = WRITERS[name](tmp_path)
    check(load(name, tmp_path), written)
    check(load(name, str(tmp_path)), written)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("mnist", "mnist"),
        ("mnist", "MNIST/raw"),
        ("fashion-mnist", "fashion-mnist"),
        ("fashion-mnist", "FashionMNIST/raw"),
        ("cifar10", "cifar-10-batches-bin"),
        ("cifar100", "cifar-100-binary"),
    ],
)
def test_folders_with_the_sets_own_names(tmp_path: Path, name: str, folder: str) -> None:
    written = WRITERS[name](tmp_path / folder)
    check(load(name, tmp_path), written)


def test_gzipped_files(tmp_path: Path) -> None:
    written = write_mnist(tmp_path, zipped=True)
    check(load("mnist", tmp_path), written)


@pytest.mark.parametrize(
    ("name", "folder", "archive"),
    [
        ("cifar10", "cifar-10-batches-bin", "cifar-10-binary.tar.gz"),
        ("cifar100", "cifar-100-binary", "cifar-100-binary.tar.gz"),
    ],
)
def test_a_tar_is_read_without_unpacking(
    tmp_path: Path, name: str, folder: str, archive: str
) -> None:
    written = WRITERS[name](tmp_path / "elsewhere")
    files = {path.name: path.read_bytes() for path in (tmp_path / "elsewhere").iterdir()}
    (tmp_path / "data").mkdir()
    pack(tmp_path / "data" / archive, folder, {"readme.html": b"<html>", **files})
    check(load(name, tmp_path / "data"), written)
    assert [path.name for path in (tmp_path / "data").iterdir()] == [archive]


def test_two_sets_side_by_side_are_told_apart(tmp_path: Path) -> None:
    digits, clothes = write_mnist(tmp_path / "mnist", 1), write_mnist(tmp_path / "fashion-mnist", 2)
    check(load("mnist", tmp_path), digits)
    check(load("fashion-mnist", tmp_path), clothes)
    loose = write_mnist(tmp_path / "other", 3)
    write_mnist(tmp_path / "other" / "FashionMNIST" / "raw", 4)
    check(load("mnist", tmp_path / "other"), loose)


def test_the_digits_need_no_folder() -> None:
    for ours, theirs in zip(load("digits"), load_digits(), strict=True):
        assert torch.equal(ours.inputs, theirs.inputs) and torch.equal(ours.labels, theirs.labels)


def test_an_unknown_name_raises_with_the_known_names() -> None:
    with pytest.raises(
        InputError, match="known sets: digits, mnist, fashion-mnist, cifar10, cifar100"
    ):
        load("svhn")


@pytest.mark.slow
def test_real_images(shared: Path, tmp_path: Path) -> None:
    unpack = shared / "data" / "cifar10" / "unpack.py"
    if not unpack.with_name("cifar10-jpeg.tar").is_file() or not unpack.is_file():
        pytest.skip("no CIFAR-10 among the shared test data")
    subprocess.run([sys.executable, str(unpack), str(tmp_path)], check=True, capture_output=True)
    training, test = load("cifar10", tmp_path)
    assert (len(training), len(test)) == (50_000, 10_000)
    for part in (training, test):
        assert part.inputs.shape[1:] == (3, 32, 32)
        assert torch.equal(part.labels.bincount(), torch.full((10,), len(part) // 10))
    # Krizhevsky's set has these means of red, green and blue; the pixels went through JPEG once.
    means = training.inputs.mean((0, 2, 3))
    assert torch.allclose(means, torch.tensor([0.4914, 0.4822, 0.4465]), atol=2e-3)
    # A photograph's neighbouring pixels are alike; those of mixed-up planes or rows are not.
    assert float(test.inputs.diff(dim=-1).abs().mean()) < 0.08
    assert float(test.inputs.diff(dim=-2).abs().mean()) < 0.08
