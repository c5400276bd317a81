"""Compressed files and arrays that claim or hold more than they should."""

import gzip
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stochi.data import load
from stochi.data.array_files import load_arrays
from stochi.errors import InputError
from stochi.files import check_plain_file, what_is_missing
from stochi.tensor_files import digest_of, load_tensors
from tests.data.files import MNIST_FILES, write_mnist
from tests.fuzz import hostile

MOST = 64 * 2**20


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCHI_MEMORY", f"{MOST}")


def refused(call: Callable[[], Any], says: str) -> None:
    """Check that a call is refused in one line, and takes little memory before."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=says):
            call()
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()


def test_bombs_are_refused_before_they_are_unpacked(tmp_path: Path, little_memory: None) -> None:
    zipped, packed = hostile.zip_of_zeros(("a.npy", "data.pkl")), tmp_path / "mnist"
    for ending, read in ((".npz", load_arrays), (".pt", load_tensors)):
        path = tmp_path / f"bomb{ending}"
        path.write_bytes(zipped)
        refused(lambda read=read, path=path: read(path), "more than the budget")  # type: ignore[misc]
    write_mnist(packed, zipped=True)
    content = gzip.decompress((packed / f"{MNIST_FILES[0]}.gz").read_bytes())
    (packed / f"{MNIST_FILES[0]}.gz").write_bytes(hostile.gzip_of_zeros(content))
    refused(lambda: load("mnist", packed), "bytes follow the 40×28×28")
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(hostile.gzip_of_zeros())
    refused(lambda: load("cifar10", tmp_path), "unpacks to more than")
    for claimed in (100, 2**20):
        liar = hostile.zip_of_zeros(("a.npy",), claimed=claimed)
        (tmp_path / "liar.npz").write_bytes(liar)
        refused(lambda: load_arrays(tmp_path / "liar.npz"), "damaged")


@pytest.mark.parametrize("shape", [(10**9, 10), (10**18,), (-1, 4), (2**64,)])
def test_an_array_that_claims_more_than_its_file_holds(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    whole = hostile.npy(shape, "<f4", bytes(96))
    (tmp_path / "a.npy").write_bytes(whole)
    (tmp_path / "a.npz").write_bytes(hostile.zip_of({"a.npy": whole}))
    for name in ("a.npy", "a.npz"):
        refused(lambda name=name: load_arrays(tmp_path / name), "damaged")  # type: ignore[misc]


def test_arrays_come_back(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.asfortranarray(np.eye(3)[:2])}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **arrays)
        found = load_arrays(tmp_path / "a.npz")
        assert found.keys() == arrays.keys()
        assert all(np.array_equal(found[name], arrays[name]) for name in arrays)


def test_what_is_no_file_is_named_and_never_waited_for(tmp_path: Path) -> None:
    for what, path in hostile.no_files(tmp_path, ".npy").items():
        for read in (load_arrays, load_tensors, check_plain_file):
            with pytest.raises(InputError, match=r"npy: "):
                read(path)
        words = {"pipe": "a pipe, not", "zeros": "a device, not", "folder": "a folder, not"}
        assert words.get(what, "") in what_is_missing(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros(3))
    path.chmod(0)
    with pytest.raises(InputError, match="cannot be read"):
        load_arrays(path)


def test_a_digest_depends_on_every_value_and_not_on_the_order() -> None:
    content = {"a": torch.arange(3.0), "b": [1, 2.0, None, "x"], "c": (True, {"d": 1})}
    digest = digest_of(content)
    assert digest_of(dict(reversed(content.items()))) == digest
    others = (
        content | {"a": torch.arange(3)},
        content | {"a": torch.arange(3.0)[None]},
        content | {"b": [1, 2, None, "x"]},
        content | {"b": (1, 2.0, None, "x")},
        content | {"c": (1, {"d": 1})},
        content | {"e": None},
    )
    assert len({digest, *map(digest_of, others)}) == 7
    circle: list[Any] = []
    circle.append(circle)
    for hostile_value in (circle, object(), torch.ones(2).to_sparse()):
        with pytest.raises(ValueError):
            digest_of(hostile_value)
