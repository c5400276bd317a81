"""Files of HDF5: what is in the file is read, what reaches outside it or claims too much is not."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from nir.serialization import hdf2dict

from stochi.deploy import read_graph, write_graph
from stochi.deploy.graph import file as graph_file
from stochi.errors import GraphError
from stochi.hdf5 import contents
from tests.fuzz.kinds.graph_fields import plain_graphs

SECRET = 7.25


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a valid graph file, beside another file that it must not reach."""
    (tmp_path / "secret.raw").write_bytes(np.full(30, SECRET).tobytes())
    with h5py.File(tmp_path / "secret.h5", "w") as secret:
        secret["weight"] = np.full((5, 6), SECRET)
    write_graph(plain_graphs()["dense"], tmp_path / "a.nir")
    return tmp_path / "a.nir"


def changed(file: Path, write: Callable[[h5py.File, str], Any], place: str) -> Path:
    with h5py.File(file, "r+") as opened:
        del opened[place]
        write(opened, place)
    return file


WEIGHT = "node/nodes/n0/weight"


def assign(value: Any) -> Callable[[h5py.File, str], None]:
    return lambda opened, place: opened.__setitem__(place, value)


def virtual(opened: h5py.File, place: str) -> None:
    layout = h5py.VirtualLayout((5, 6), "f8")
    layout[:] = h5py.VirtualSource("secret.h5", "weight", (5, 6))
    opened.create_virtual_dataset(place, layout)


def external(opened: h5py.File, place: str) -> None:
    opened.create_dataset(place, (5, 6), "f8", external=[("secret.raw", 0, 240)])


def claimed(opened: h5py.File, place: str) -> None:
    opened.create_dataset(place, (10**5, 10**5), "f8", chunks=(100, 100), compression="gzip")


def scaled(opened: h5py.File, place: str) -> None:
    opened.create_dataset(place, data=np.ones((5, 6), int), scaleoffset=4, chunks=True)


def committed(opened: h5py.File, place: str) -> None:
    opened["mine"] = np.dtype("f4")
    opened.create_dataset(place, (5, 6), opened["mine"])


@pytest.mark.parametrize(
    ("write", "place", "says"),
    [
        (assign(h5py.ExternalLink("secret.h5", "/weight")), WEIGHT, "a link to another file"),
        (assign(h5py.SoftLink("/node")), WEIGHT, "a soft link"),
        (external, WEIGHT, "its values in other files"),
        (virtual, WEIGHT, "its values in other files"),
        (scaled, WEIGHT, "filter 6"),
        (committed, WEIGHT, "stored elsewhere"),
        (claimed, WEIGHT, "STOCHI_MEMORY"),
        (assign(np.ones(5, complex)), WEIGHT, "neither numbers nor text"),
        (assign(h5py.Empty("f")), WEIGHT, "holds nothing"),
        (lambda opened, place: opened.create_group(place), WEIGHT, "weight is a group of values"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_in_the_file_is_not_read(
    write: Callable[[h5py.File, str], Any], place: str, says: str, file: Path
) -> None:
    with pytest.raises(GraphError, match=says) as raised:
        read_graph(changed(file, write, place))
    assert str(SECRET) not in str(raised.value)


def test_a_group_of_two_names_is_refused(file: Path) -> None:
    """Groups that share groups would be read as often as there are paths to them: 2⁴⁰ times."""
    with h5py.File(file, "r+") as opened:
        inner = opened.create_group("inner")
        for floor in range(40):
            outer = opened.create_group(f"floor {floor}")
            outer["a"], outer["b"] = inner, inner
            inner = outer
        opened["node/nodes/more"] = inner
    with pytest.raises(GraphError, match="another name too"):
        read_graph(file)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "a.nir"
    os.mkfifo(pipe)
    with pytest.raises(GraphError, match=r"a\.nir"):
        read_graph(pipe)
    with pytest.raises(GraphError, match="not a regular file"):
        contents.read_contents(
            pipe, graph_file._FORM
        )  # as if it had become one after the first look


@pytest.mark.parametrize("code", ["import os; os.abort()", "", "print('x' * 100)"])
def test_a_library_that_crashes_is_one_line(
    code: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "_CODE", code)
    with pytest.raises(GraphError, match="not a NIR graph file, or damaged"):
        read_graph(file)


def test_a_library_that_never_ends_is_ended(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = "from stochi.hdf5 import reader; reader._limit(0)\nwhile True: pass"
    monkeypatch.setattr(
        contents, "_CODE", f"import sys; sys.path[:] = {{path!r}}; exec({endless!r})"
    )
    before = time.monotonic()
    with pytest.raises(GraphError, match="not a NIR graph file, or damaged"):
        read_graph(file)
    assert time.monotonic() - before < 15


@pytest.mark.parametrize("name", plain_graphs())
def test_it_reads_what_nir_reads(name: str, tmp_path: Path) -> None:
    nir.write(str(tmp_path / "a.nir"), plain_graphs()[name])
    with h5py.File(tmp_path / "a.nir") as opened:
        expected = hdf2dict(opened["node"])
    assert same(contents.read_contents(tmp_path / "a.nir", graph_file._FORM), {"node": expected})


@pytest.mark.parametrize("how", [{"compression": "lzf"}, {"fletcher32": True}, {"shuffle": True}])
def test_other_ways_to_store_numbers(how: dict[str, Any], file: Path) -> None:
    values = np.arange(30, dtype=">f8").reshape(5, 6)
    changed(file, lambda opened, at: opened.create_dataset(at, data=values, **how), WEIGHT)
    assert np.array_equal(read_graph(file).nodes["n0"].weight, values)


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(
            same(found[name], expected[name]) for name in expected
        )
    if isinstance(expected, np.ndarray) and expected.dtype == object:
        return [text.encode() for text in found.flat] == list(expected.flat)
    alike = type(found) is type(expected) and np.array_equal(found, expected)
    return alike and getattr(found, "dtype", None) == getattr(expected, "dtype", None)
