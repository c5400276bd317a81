"""Files of HDF5 that hold what no graph should, by h5py's own hand."""

import io
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import h5py
import nir
import numpy as np

from stochi.deploy import write_graph
from tests.fuzz.kinds.graph_fields import altered_graphs, diamonds, plain_graphs

_MOST_OBJECTS = 2_000
"""Nodes and edges of a graph that is written here; more take seconds."""
_NAN, _INF = float("nan"), float("inf")
VALUES: tuple[Any, ...] = (
    *(0, -1, 1, 2, 2.5, _NAN, _INF, -_INF, 1e300, 1e-300, 1e30, 2**31, 2**63 - 1, -(2**63), True),
    *("", "text", "Conv2d", "NIRGraph", b"\xff\xfe", "x" * 10**5, "\x1b[2J", "\u202eabc", 1j),
    *(np.zeros(0), np.zeros((2, 0)), np.ones(5), np.ones((5, 6)), np.ones((1,) * 9)),
    *(np.array([2, 2]), np.array([2**62, 4]), np.array([-1, 0]), np.full(5, _NAN)),
    *(np.ones(5, ">f8"), np.ones(5, np.float16), np.ones(5, np.uint64) * (2**64 - 1)),
    *(np.ones(5, bool), np.ones(5, complex), np.ones(5, np.longdouble), np.array([b"a", b"bc"])),
    *(np.void(b"abc"), h5py.Empty("f"), np.ones(5, [("a", "f4"), ("b", "i2")])),
    *([["input", "n0"], ["n0", "output"]], [["a", "b"]], ["a", "b"], [[1, 2]]),
)


def alter(random: Random, path: Path) -> None:
    """Alter what a file holds, one to three times."""
    with h5py.File(path, "r+") as file:
        for _ in range(random.randint(1, 3)):
            places: list[str] = []
            file.visit(places.append)
            if not places:
                return
            try:
                random.choice(_ALTERATIONS)(random, file, random.choice(places))
            except (ValueError, TypeError, OSError, KeyError, RuntimeError, OverflowError):
                continue  # h5py does not write this


def hostile_files(folder: Path) -> dict[str, Path]:
    """Write hostile files; what each one is → its path."""
    original = folder / "original.nir"
    write_graph(plain_graphs()["dense"], original)
    (folder / "secret.h5").unlink(missing_ok=True)
    with h5py.File(folder / "secret.h5", "w") as secret:
        secret["weight"] = np.ones((5, 6))
        secret.create_group("node")
    found: dict[str, Path] = {}
    for name, write in _FILES.items():
        path = folder / f"file {len(found)}.nir"
        path.write_bytes(original.read_bytes())
        with h5py.File(path, "r+") as file:
            write(file)
        found[name] = path
    for what, data in (
        ("empty", b""),
        ("text", b"not HDF5"),
        ("only a signature", b"\x89HDF\r\n\x1a\n"),
        ("half", original.read_bytes()[:4000]),
        ("zeros", bytes(10_000)),
    ):
        found[what] = folder / f"{what}.nir"
        found[what].write_bytes(data)
    found["a folder"] = folder
    found["a device"] = Path("/dev/zero")
    found["a pipe"] = folder / "pipe.nir"
    _make_pipe(found["a pipe"])
    found["24 diamonds"] = folder / "diamonds.nir"
    write_graph(diamonds(24), found["24 diamonds"])
    return found


def hostile_values(folder: Path, every: int = 23) -> dict[str, Path]:
    """Write files of each plain graph, each with one of its datasets replaced; what → its path.

    Args:
        every: one of so many replacements is made.
    """
    changes: list[tuple[str, str, int]] = []
    plain: dict[str, bytes] = {}
    for name, graph in plain_graphs().items():
        original = folder / f"plain {name}.nir"
        write_graph(graph, original)
        plain[name] = original.read_bytes()
        places: list[str] = []
        with h5py.File(original) as file:
            file.visit(places.append)
            places = [place for place in places if isinstance(file[place], h5py.Dataset)]
        changes += itertools.product((name,), places, range(len(VALUES)))
    found: dict[str, Path] = {}
    for name, place, number in changes[::every]:
        path = folder / f"value {len(found)}.nir"
        path.write_bytes(plain[name])
        with h5py.File(path, "r+") as file:
            _replace(file, place, VALUES[number])
        found[f"{name}: {place} = value {number}"] = path
    return found


def written_graphs(folder: Path) -> dict[str, Path]:
    """Write graphs with hostile fields, as far as NIR writes them; what each one is → its path."""
    found: dict[str, Path] = {}
    for name, graph in altered_graphs().items():
        path = folder / f"graph {len(found)}.nir"
        if _objects(graph) < _MOST_OBJECTS and write_as_it_is(graph, path):
            found[name] = path
    return found


def _objects(graph: nir.NIRGraph) -> int:
    """Return a graph's nodes and edges, those of graphs in it too, or more than may be written."""
    left, count = [graph], 0
    while left and count < _MOST_OBJECTS:
        part = left.pop()
        nodes = list(part.nodes.values()) if isinstance(part.nodes, dict) else []
        count += 1 + len(nodes) + len(part.edges or ())
        left += [node for node in nodes if isinstance(node, nir.NIRGraph)]
    return count


def write_as_it_is(graph: nir.NIRGraph, path: Path) -> bool:
    """Write a graph without any check; return whether HDF5 can hold it."""
    content = io.BytesIO()
    try:
        nir.write(content, graph)
    except Exception:  # NIR and h5py raise many kinds
        return False
    path.write_bytes(content.getvalue())
    return True


def _make_pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _replace(file: h5py.File, place: str, value: Any) -> None:
    del file[place]
    file[place] = value


def _is_small(dataset: h5py.Dataset, kinds: str = "biufOSV") -> bool:
    return dataset.size is not None and dataset.size < 10**6 and dataset.dtype.kind in kinds


def _change_value(random: Random, file: h5py.File, place: str) -> None:
    _replace(file, place, random.choice(VALUES))


def _change_number(random: Random, file: h5py.File, place: str) -> None:
    """Change one number, or the type or the shape of numbers."""
    dataset = file[place]
    if not isinstance(dataset, h5py.Dataset) or not _is_small(dataset, "iuf"):
        return _change_value(random, file, place)
    values = np.array(dataset[()])
    how = random.randrange(4)
    if how == 0 and values.size:
        numbers = [value for value in VALUES if isinstance(value, int | float)]
        values = values.astype(random.choice((np.float64, np.int64)))
        with np.errstate(all="ignore"):
            values.reshape(-1)[random.randrange(values.size)] = random.choice(numbers)
    elif how == 1:
        values = values.astype(random.choice(("f2", ">f4", "f8", "i1", "u8", ">i2", "?")))
    elif how == 2:
        values = values.reshape(random.choice(((1, *values.shape), (-1,), (*values.shape, 1))))
    else:
        values = np.repeat(values.reshape(-1), random.choice((0, 2, 3)))
    return _replace(file, place, values)


def _delete(random: Random, file: h5py.File, place: str) -> None:
    del file[place]


def _rename(random: Random, file: h5py.File, place: str) -> None:
    names = ("x", "..", "type", "weight", "nodes", "\u202e", "a.b", "y" * 600, "reset", "dt")
    file.move(place, f"{place.rpartition('/')[0]}/{random.choice(names)}")


def _make_group(random: Random, file: h5py.File, place: str) -> None:
    del file[place]
    file.create_group(place)["weight"] = 1


def _copy(random: Random, file: h5py.File, place: str) -> None:
    """Put numbers or a text from elsewhere in a place."""
    places: list[str] = []
    file.visit(places.append)
    source = file[random.choice(places)]
    if isinstance(source, h5py.Dataset) and _is_small(source):
        value = source[()]
        _replace(file, place, value)


def _link(random: Random, file: h5py.File, place: str) -> None:
    places: list[str] = ["/"]
    file.visit(places.append)
    target = random.choice(places)
    object_ = file[target]
    del file[place]
    file[place] = random.choice(
        (object_, h5py.SoftLink(f"/{target}"), h5py.ExternalLink("secret.h5", "/weight"))
    )


def _store_elsewhere(random: Random, file: h5py.File, place: str) -> None:
    del file[place]
    random.choice(_STORED)(file, place)


def _change_edges(random: Random, file: h5py.File, place: str) -> None:
    edges, nodes = file["node/edges"], file["node/nodes"]
    if not isinstance(edges, h5py.Dataset) or not _is_small(edges, "O"):
        return
    edges = [[end.decode() for end in edge] for edge in edges[()]]
    names = list(nodes) if isinstance(nodes, h5py.Group) else ["x"]
    how = random.randrange(4)
    if how == 0:
        edges.append([random.choice(names), random.choice(names)])
    elif how == 1:
        edges.pop(random.randrange(len(edges)))
    elif how == 2:
        edges[random.randrange(len(edges))][random.randrange(2)] = random.choice([*names, "x", ""])
    else:
        random.shuffle(edges)
    _replace(file, "node/edges", edges)


def _exchange(random: Random, file: h5py.File, place: str) -> None:
    """Exchange two nodes, or two fields."""
    parent = file[place].parent
    other = random.choice(list(parent))  # a group, since it holds the place
    file.move(place, f"{parent.name}/aside")
    if other in parent:
        file.move(f"{parent.name}/{other}", place)
    file.move(f"{parent.name}/aside", f"{parent.name}/{other}")


def _note(random: Random, file: h5py.File, place: str) -> None:
    """Change metadata that Stochi reads."""
    nodes = [place for place in ("node", "node/nodes") if isinstance(file[place], h5py.Group)]
    if len(nodes) == 2:
        nodes += [f"node/nodes/{name}" for name in file["node/nodes"]]
    where = f"{random.choice([*nodes, 'node'])}/metadata"
    names = ("dt", "steps", "readout", "reads", "convention", "reset", "refractory", "learns")
    names += ("reset_delay", "reset_current", "random_tau", "groups")
    target = f"{where}/{random.choice(names)}"
    if target in file:
        del file[target]
    file[target] = random.choice(VALUES)


_ALTERATIONS: tuple[Callable[[Random, h5py.File, str], None], ...] = (
    *(_change_value, _change_value, _change_number, _change_number, _change_number, _delete),
    *(_rename, _make_group, _copy, _link, _store_elsewhere, _change_edges, _exchange, _note),
)


def _external(file: h5py.File, place: str) -> None:
    file.create_dataset(place, (5, 6), "f8", external=[("secret.h5", 0, 240)])


def _virtual(file: h5py.File, place: str) -> None:
    layout = h5py.VirtualLayout((5, 6), "f8")
    layout[:] = h5py.VirtualSource("secret.h5", "weight", (5, 6))
    file.create_virtual_dataset(place, layout)


def _claimed(file: h5py.File, place: str) -> None:
    file.create_dataset(place, (10**5, 10**5), "f8", chunks=(100, 100), compression="gzip")


def _bomb(file: h5py.File, place: str) -> None:
    file.create_dataset(place, (2**14, 2**14), "f4", chunks=(2**14, 2**14), compression="gzip")
    file[place].id.write_direct_chunk((0, 0), bytes(100))


def _stored(**how: Any) -> Callable[[h5py.File, str], None]:
    return lambda file, place: file.create_dataset(place, **how) and None


def _typed(dtype: Any, value: Any = None) -> Callable[[h5py.File, str], None]:
    def write(file: h5py.File, place: str) -> None:
        dataset = file.create_dataset(place, (5,), dtype)
        if value is not None:
            dataset[0] = value(file)

    return write


def _committed(file: h5py.File, place: str) -> None:
    file["type of mine"] = np.dtype("f4")
    file.create_dataset(place, (5, 6), file["type of mine"])


def _filtered(code: int) -> Callable[[h5py.File, str], None]:
    def write(file: h5py.File, place: str) -> None:
        space = h5py.h5s.create_simple((5, 6))
        storage = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        storage.set_chunk((5, 6))
        storage.set_filter(code, h5py.h5z.FLAG_OPTIONAL, (1, 2, 3))
        h5py.h5d.create(file.id, place.encode(), h5py.h5t.IEEE_F64LE, space, storage)

    return write


_STORED: tuple[Callable[[h5py.File, str], None], ...] = (
    *(_external, _virtual, _claimed, _bomb, _committed, _filtered(305), _filtered(6)),
    _stored(shape=(5, 6), dtype="f4", chunks=True, compression="lzf", shuffle=True),
    _stored(shape=(5, 6), dtype="f4", chunks=True, fletcher32=True, fillvalue=0.5),
    _stored(shape=(5, 6), dtype="f8", chunks=(2, 2), compression=9, maxshape=(None, 6)),
    _stored(shape=(5, 6), dtype="i8", scaleoffset=4, chunks=True),
    _typed(h5py.ref_dtype, lambda file: file.ref),
    _typed(h5py.regionref_dtype),
    _typed(h5py.vlen_dtype(np.float32), lambda file: [1, 2]),
    _typed(h5py.enum_dtype({"a": 1, "b": 2})),
    _typed(np.dtype(("f4", (2, 2)))),
    _typed(np.dtype("V7")),
    _typed(h5py.opaque_dtype(np.dtype("M8[s]"))),
    _typed(h5py.string_dtype(length=10**6)),
)

_WEIGHT = "node/nodes/n0/weight"


def _in_place(
    write: Callable[[h5py.File, str], None], place: str = _WEIGHT
) -> Callable[[h5py.File], None]:
    def replaced(file: h5py.File) -> None:
        del file[place]
        write(file, place)

    return replaced


def _linked(link: Any, place: str) -> Callable[[h5py.File], None]:
    def replaced(file: h5py.File) -> None:
        target = link(file) if callable(link) else link
        del file[place]
        file[place] = target

    return replaced


def _many_names(file: h5py.File) -> None:
    """Name groups twice on each of 40 floors: 2 to the power of 40 paths."""
    inner = file.create_group("deepest")
    for floor in range(40):
        outer = file.create_group(f"floor {floor}")
        outer["a"], outer["b"] = inner, inner
        inner = outer
    file["node/nodes/n9"] = inner


def _deep(file: h5py.File) -> None:
    group = file["node/nodes"]
    for _ in range(2000):
        group = group.create_group("g")


_LINKS: dict[str, Any] = {
    "another file": h5py.ExternalLink("secret.h5", "/weight"),
    "another file's group": h5py.ExternalLink("secret.h5", "/node"),
    "a device": h5py.ExternalLink("/dev/zero", "/"),
    "nothing": h5py.SoftLink("/nowhere"),
    "itself": h5py.SoftLink("/node/nodes/n0/weight"),
    "the root": h5py.SoftLink("/"),
    "its own parent": lambda file: file["node/nodes"],
    "the root group": lambda file: file["/"],
}
_FILES: dict[str, Callable[[h5py.File], None]] = {
    **{f"weights stored {n}": _in_place(how) for n, how in enumerate(_STORED)},
    **{
        f"{place} links to {what}": _linked(link, place)
        for (what, link), place in itertools.product(
            _LINKS.items(), ("node", "node/nodes/n0", _WEIGHT, "node/edges")
        )
    },
    "groups of many names": _many_names,
    "2000 groups deep": _deep,
    "edges of 10⁹ texts": _in_place(
        _stored(shape=(10**9, 2), dtype=h5py.string_dtype(), chunks=True), "node/edges"
    ),
    "edges of one long text": _in_place(
        lambda file, place: file.create_dataset(place, data=[["x" * 10**6, "y"]] * 3) and None,
        "node/edges",
    ),
    "a field type_check": lambda file: file["node"].create_dataset("type_check", data=0) and None,
}
