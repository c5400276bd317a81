"""Files that would run code if they were unpickled, given to everything that reads files."""

import io
import os
import pickle
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from stochi.attacks import load_pattern
from stochi.commands.own_inputs import read_inputs, read_labelled
from stochi.data import open_recordings
from stochi.deploy import read_graph
from stochi.deploy.net_file import read_net
from stochi.errors import StochiError
from stochi.program import Program
from stochi.study.store import Store
from stochi.tensor_files import load_tensors
from stochi.train import load_checkpoint

KEY = {"question": "any"}


class Trap:
    """What makes a folder when it is unpickled."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (f"{self.made}",)


def recordings(path: Path) -> None:
    (path.parent / "own" / "a").mkdir(parents=True, exist_ok=True)
    path.rename(path.parent / "own" / "a" / path.name)
    found = open_recordings(path.parent / "own", (34, 34))
    found.load()


def stored(path: Path) -> None:
    store = Store(path.parent)
    path.rename(store.path(KEY, "pt"))
    store.get_tensors(KEY)


READERS: tuple[Callable[[Path], Any], ...] = (
    Program.load,
    load_checkpoint,
    load_tensors,
    load_pattern,
    read_inputs,
    lambda path: read_labelled(path, None),
    read_graph,
    lambda path: read_net(path, time_steps=2),
    recordings,
    stored,
)


def bare(trap: Trap) -> bytes:
    return pickle.dumps(trap)


def of_torch(trap: Trap) -> bytes:
    content = io.BytesIO()
    torch.save({"format": "stochi-checkpoint", "version": 5, "weights": trap}, content)
    return content.getvalue()


def of_old_torch(trap: Trap) -> bytes:
    content = io.BytesIO()
    torch.save({"weights": trap}, content, _use_new_zipfile_serialization=False)
    return content.getvalue()


def tar_of_torch(trap: Trap) -> bytes:
    content, member = io.BytesIO(), pickle.dumps(trap)
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name in ("pickle", "storages", "tensors"):
            entry = tarfile.TarInfo(name)
            entry.size = len(member)
            archive.addfile(entry, io.BytesIO(member))
    return content.getvalue()


def array(trap: Trap) -> bytes:
    content = io.BytesIO()
    np.save(content, np.array([trap], object), allow_pickle=True)
    return content.getvalue()


def arrays(trap: Trap) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in ("inputs", "events", "labels", "header", "sha256", "t", "x", "y", "p"):
            archive.writestr(f"{name}.npy", array(trap))
    return content.getvalue()


def of_hdf5(trap: Trap) -> bytes:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name in ("node", "layer", "events"):
            file.create_dataset(name, data=np.void(pickle.dumps(trap)))
    return content.getvalue()


FORMS = (bare, of_torch, of_old_torch, tar_of_torch, array, arrays, of_hdf5)


@pytest.mark.parametrize("form", FORMS)
def test_the_trap_is_one(form: Callable[[Trap], bytes], tmp_path: Path) -> None:
    assert b"mkdir" in form(Trap(tmp_path / "made"))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "ending",
    [
        *("program", "npz"),
        *(
            pytest.param(ending, marks=pytest.mark.slow)
            for ending in ("pt", "nir", "npy", "h5", "net", "bin")
        ),
    ],
)
def test_nothing_is_executed(form: Callable[[Trap], bytes], ending: str, tmp_path: Path) -> None:
    made = tmp_path / "made"
    for number, read in enumerate(READERS):
        place = tmp_path / f"{number}"
        place.mkdir()
        path = place / f"file.{ending}"
        path.write_bytes(form(Trap(made)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                read(path)
            except StochiError as error:
                assert "\n" not in str(error)
        assert not made.exists()
