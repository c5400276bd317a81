"""What a file of HDF5 holds, read by the HDF5 library in a process of its own.

The library crashes or never ends on about one of a thousand damaged files, and follows links to
other files. So nothing but this process opens a file with it: what it ends with tells nothing but
that the file is damaged. Before anything is read, every object is looked at: links that lead
elsewhere, storage outside the file, filters that need plugins, and types that are not numbers or
text are refused, and so are claims of more than the budget of memory.

The process reads the file from its standard input. It writes the length of a header and the header,
JSON, then the bytes of all arrays of numbers, in the header's order.
"""

import json
import math
import os
import sys
from typing import Any

import h5py
import numpy as np

from stochi.budget import check_memory, memory_budget
from stochi.errors import GraphError, StochiError

NUMBERS: tuple[str, ...] = (
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
)
NUMBERS += ("float16", "float32", "float64")
"""Types of numbers that are read, by numpy's names."""
MOST_OBJECTS = 100_000
"""Most groups and datasets of a file."""
LONGEST_NAME = 500
"""Most characters of a name."""
MOST_DEEP = 100
"""Most groups around an object."""
_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
_FILTERS |= {h5py.h5z.FILTER_LZF}
_LINKS = {
    h5py.h5l.TYPE_SOFT: "a soft link",
    h5py.h5l.TYPE_EXTERNAL: "a link to another file",
}
_GRAPH = b"node"
_LONGEST_TEXT = 2**20
"""Characters of all texts of a file together."""
_SECONDS, _BYTES_A_SECOND = 2, 5 * 2**20
"""Processor time that a file may take: seconds, and one more for so many bytes."""
_BESIDE = 2**30
"""Bytes of addresses that this process may take beside the budget, most of them for its code."""


def main() -> None:
    """Read the file of HDF5 on standard input and write what it holds to standard output."""
    size = os.fstat(sys.stdin.fileno()).st_size
    _limit(_SECONDS + size // _BYTES_A_SECOND)
    send = sys.stdout.buffer
    try:
        image = sys.stdin.buffer.read(memory_budget() // 2 + 1)
        contents = Contents(image)
        header: dict[str, Any] = {"tree": contents.describe_graph()}
    except StochiError as error:
        contents, header = None, {"refused": str(error)}
    except Exception:  # h5py raises many kinds
        contents, header = None, {"damaged": True}
    text = json.dumps(header).encode()
    send.write(len(text).to_bytes(8, "little") + text)
    if contents is not None:
        _limit(_SECONDS + (len(image) + contents.bytes) // _BYTES_A_SECOND)
        for dataset in contents.numbers:
            send.write(_values(dataset).data)
    send.flush()


class Contents:
    """The objects of a file.

    Args:
        image: the file's bytes.

    Attributes:
        root: the file's outermost group.
        numbers: all datasets of numbers that were described, in order.
        bytes: bytes of the file, of the library's copy, and of the values described.

    Raises:
        GraphError: the file is larger than the budget.
    """

    def __init__(self, image: bytes) -> None:
        self.root = h5py.h5g.open(h5py.h5f.open_file_image(image), b"/")
        self.numbers: list[Any] = []
        self.bytes = 0
        self._count(2 * len(image), "/")  # the library takes a copy
        self._longest = len(image)
        self._groups: set[int] = set()
        self._objects = self._characters = 0

    def describe_graph(self) -> dict[str, Any]:
        """Return what the group of NIR's graph holds, as its only entry; else nothing.

        Raises:
            GraphError: as for :meth:`describe`.
        """
        if not self.root.links.exists(_GRAPH):
            return {}
        return {_GRAPH.decode(): self._object(self.root, _GRAPH, f"/{_GRAPH.decode()}", 0)}

    def describe(self, group: Any, path: str, depth: int) -> dict[str, Any]:
        """Return what a group holds, by name: groups, texts, and types and shapes of numbers.

        Raises:
            GraphError: an object is outside the file, is not stored as numbers or text, or there
                are too many.
        """
        address = h5py.h5o.get_info(group).addr
        if address in self._groups:
            raise GraphError(f"{path!r} is a group that has another name too")
        if depth > MOST_DEEP:
            raise GraphError(f"groups lie in groups {MOST_DEEP} deep and deeper")
        self._groups.add(address)
        found: dict[str, Any] = {}
        for raw in group:
            self._objects += 1
            if self._objects > MOST_OBJECTS:
                raise GraphError(f"it holds more than {MOST_OBJECTS:,} objects")
            if len(raw) > LONGEST_NAME:
                raise GraphError(f"it has a name of {len(raw):,} characters, over {LONGEST_NAME}")
            name = raw.decode()
            found[name] = self._object(group, raw, f"{path}/{name}", depth)
        return found

    def _object(self, group: Any, name: bytes, path: str, depth: int) -> dict[str, Any]:
        kind = group.links.get_info(name).type
        if kind != h5py.h5l.TYPE_HARD:
            what = _LINKS.get(kind, "a link of an unknown kind")
            raise GraphError(f"{path!r} is {what}; only what the file itself holds is read")
        object_ = h5py.h5o.open(group, name)
        if isinstance(object_, h5py.h5g.GroupID):
            return {"group": self.describe(object_, path, depth + 1)}
        if not isinstance(object_, h5py.h5d.DatasetID):
            raise GraphError(f"{path!r} is neither a group nor a dataset")
        _check_storage(object_, path)
        return self._dataset(object_, path)

    def _dataset(self, dataset: Any, path: str) -> dict[str, Any]:
        if dataset.get_space().get_simple_extent_type() == h5py.h5s.NULL:
            raise GraphError(f"{path!r} holds nothing")
        type_, shape = dataset.get_type(), [int(size) for size in dataset.shape]
        if type_.committed():
            raise GraphError(f"{path!r} has a type that is stored elsewhere")
        count = math.prod(shape)
        if isinstance(type_, h5py.h5t.TypeStringID):
            self._count(count * type_.get_size(), path)
            return {"text": self._texts(dataset, shape, path), "shape": shape}
        name = _number_type(type_)
        if name is None:
            raise GraphError(f"{path!r} has a type that is neither numbers nor text")
        self._count(count * np.dtype(name).itemsize, path)
        self.numbers.append(dataset)
        return {"numbers": name, "shape": shape}

    def _count(self, size: int, path: str) -> None:
        self.bytes += size
        check_memory(self.bytes, f"the file up to {path!r}", GraphError)

    def _texts(self, dataset: Any, shape: list[int], path: str) -> list[str]:
        """Return all texts of a dataset; some at a time, since each may be as long as the file."""
        high = h5py.Dataset(dataset)
        if not shape:
            pieces = iter([[high[()]]])
        else:
            wide = max(math.prod(shape[1:]), 1)
            if shape[0] * wide > MOST_OBJECTS:
                raise GraphError(f"{path!r} holds more than {MOST_OBJECTS:,} texts")
            rows = max(1, _LONGEST_TEXT * 64 // ((self._longest + 64) * wide))
            pieces = (
                high[start : start + rows].reshape(-1).tolist()
                for start in range(0, shape[0], rows)
            )
        found: list[str] = []
        for piece in pieces:
            self._characters += sum(map(len, piece))
            if self._characters > _LONGEST_TEXT:
                raise GraphError(f"its texts have more than {_LONGEST_TEXT:,} characters")
            found += [text.decode() for text in piece]
        return found


def _check_storage(dataset: Any, path: str) -> None:
    """Raise GraphError if a dataset's values are elsewhere, or need a plugin to be read."""
    storage = dataset.get_create_plist()
    if storage.get_layout() == h5py.h5d.VIRTUAL or storage.get_external_count():
        raise GraphError(f"{path!r} has its values in other files; only this file is read")
    for number in range(storage.get_nfilters()):
        code = storage.get_filter(number)[0]
        if code not in _FILTERS:
            raise GraphError(
                f"{path!r} is compressed by filter {code}; gzip, lzf, shuffle and fletcher32 are"
                " read"
            )


def _number_type(type_: Any) -> str | None:
    """Return numpy's name of a type, in this machine's byte order; None for other types."""
    if not isinstance(type_, h5py.h5t.TypeIntegerID | h5py.h5t.TypeFloatID | h5py.h5t.TypeEnumID):
        return None
    dtype = type_.dtype
    name = dtype.newbyteorder("=").name
    plain = h5py.h5t.py_create(dtype, logical=True)
    return name if name in NUMBERS and plain.equal(type_) else None


def _values(dataset: Any) -> np.ndarray:
    dtype = dataset.get_type().dtype.newbyteorder("=")
    values = np.zeros(dataset.shape, dtype)
    if values.size:
        dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
    return values.reshape(-1).view(np.uint8)


def _limit(seconds: int) -> None:
    """End this process if it takes more processor time or memory, where the system can do that."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    whole = int(used.ru_utime + used.ru_stime) + seconds
    memory = memory_budget() + _BESIDE
    for what, limit in (
        (resource.RLIMIT_CPU, whole),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
    ):
        _, most = resource.getrlimit(what)
        least = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.setrlimit(what, (least, most))
