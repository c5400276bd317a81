"""What a file of HDF5 holds, read by the HDF5 library in a process of its own.

The library crashes or never ends on about one of a thousand damaged files, and follows links to
other files. So nothing but this process opens a file with it: what it ends with tells nothing but
that the file is damaged. Before anything is read, every object is looked at: links that lead
elsewhere, storage outside the file, filters that need plugins, and types that are not numbers or
text are refused, and so are claims of more than the budget of memory.

The process takes a request, JSON, as its argument and the file as its standard input. It writes the
length of a header and the header, JSON, then the bytes of all arrays of numbers, in the header's
order. A file that is only looked at is not taken into memory, and its values are not read.
"""

import json
import math
import os
import sys
from collections.abc import Collection
from typing import Any

import h5py
import numpy as np

from stochi.budget import check_memory, memory_budget
from stochi.errors import InputError, StochiError
from stochi.hdf5.number_types import NUMBERS

MOST_OBJECTS = 100_000
"""Most groups and datasets of a file."""
LONGEST_NAME = 500
"""Most characters of a name."""
MOST_FIELDS = 1_000
"""Most fields of a type."""
MOST_DEEP = 100
"""Most groups around an object."""
_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
_FILTERS |= {h5py.h5z.FILTER_LZF}
_LINKS = {
    h5py.h5l.TYPE_SOFT: "a soft link",
    h5py.h5l.TYPE_EXTERNAL: "a link to another file",
}
_LONGEST_TEXT = 2**20
"""Characters of all texts of a file together."""
_SECONDS, _BYTES_A_SECOND = 2, 5 * 2**20
"""Processor time that a file may take: seconds, and one more for so many bytes."""
_BESIDE = 2**30
"""Bytes of addresses that this process may take beside the budget, most of them for its code."""


def main() -> None:
    """Read the file of HDF5 on standard input and write what it holds to standard output."""
    request = json.loads(sys.argv[1])
    size = os.fstat(sys.stdin.fileno()).st_size
    _limit(_SECONDS + size // _BYTES_A_SECOND)
    send = sys.stdout.buffer
    contents = None
    try:
        if request["path"] is not None:
            _check_objects(request["path"])
            header: dict[str, Any] = {"tree": {}}
        else:
            image = sys.stdin.buffer.read(memory_budget() // 2 + 1)
            contents = Contents(image, request["names"], request["copies"], request["fields"])
            header = {"tree": contents.describe_first(request["places"])}
    except StochiError as error:
        contents, header = None, {"refused": str(error)}
    except Exception:  # h5py raises many kinds
        contents, header = None, {"damaged": True}
    text = json.dumps(header).encode()
    send.write(len(text).to_bytes(8, "little") + text)
    if contents is not None:
        _limit(_SECONDS + contents.bytes // _BYTES_A_SECOND)
        for dataset, dtype in contents.numbers:
            send.write(_values(dataset, dtype).data)
    send.flush()


class Contents:
    """The objects of a file.

    Args:
        image: the file's bytes.
        names: names of a group's datasets that are read, in lower case; None: all of them.
        copies: times that the reader's numbers are in memory later.
        fields: whether numbers in named fields are read.

    Attributes:
        root: the file's outermost group.
        numbers: all datasets of numbers that were described, in order, and their types.
        bytes: bytes of the file, of the library's copy, and of the values described.

    Raises:
        InputError: the file is larger than the budget.
    """

    def __init__(
        self,
        image: bytes,
        names: Collection[str] | None = None,
        copies: int = 1,
        fields: bool = False,
    ) -> None:
        self.root = h5py.h5g.open(h5py.h5f.open_file_image(image), b"/")
        self.numbers: list[tuple[Any, np.dtype]] = []
        self.bytes = 0
        self._names, self._copies, self._fields = names, copies, fields
        self._count(2 * len(image), "/")  # the library takes a copy
        self._longest = len(image)
        self._groups: set[int] = set()
        self._objects = self._characters = 0

    def describe_first(self, places: Collection[str]) -> dict[str, Any]:
        """Return the first of some names that the file has, as the only entry; else nothing.

        Args:
            places: names of outermost objects; "/" is the file itself, whose entries are returned.

        Raises:
            InputError: as for :meth:`describe`.
        """
        for place in places:
            if place == "/":
                return self.describe(self.root, "", 0)
            if self.root.links.exists(place.encode()):
                return {place: self._object(self.root, place.encode(), f"/{place}", 0)}
        return {}

    def describe(self, group: Any, path: str, depth: int) -> dict[str, Any]:
        """Return what a group holds, by name: groups, texts, and types and shapes of numbers.

        Raises:
            InputError: an object is outside the file, is not stored as numbers or text, or there
                are too many.
        """
        address = h5py.h5o.get_info(group).addr
        if address in self._groups:
            raise InputError(f"{path!r} is a group that has another name too")
        if depth > MOST_DEEP:
            raise InputError(f"groups lie in groups {MOST_DEEP} deep and deeper")
        self._groups.add(address)
        found: dict[str, Any] = {}
        for raw in group:
            self._objects += 1
            if self._objects > MOST_OBJECTS:
                raise InputError(f"it holds more than {MOST_OBJECTS:,} objects")
            if len(raw) > LONGEST_NAME:
                raise InputError(f"it has a name of {len(raw):,} characters, over {LONGEST_NAME}")
            name = raw.decode()
            wanted = self._names is None or name.lower() in self._names
            found[name] = self._object(group, raw, f"{path}/{name}", depth, wanted)
        return found

    def _object(
        self, group: Any, name: bytes, path: str, depth: int, wanted: bool = True
    ) -> dict[str, Any]:
        object_ = _opened(group, name, path)
        if not wanted:
            return {"unread": True}
        if isinstance(object_, h5py.h5g.GroupID):
            return {"group": self.describe(object_, path, depth + 1)}
        _check_storage(object_, path)
        return self._dataset(object_, path)

    def _dataset(self, dataset: Any, path: str) -> dict[str, Any]:
        if dataset.get_space().get_simple_extent_type() == h5py.h5s.NULL:
            raise InputError(f"{path!r} holds nothing")
        type_, shape = dataset.get_type(), [int(size) for size in dataset.shape]
        if type_.committed():
            raise InputError(f"{path!r} has a type that is stored elsewhere")
        count = math.prod(shape)
        if isinstance(type_, h5py.h5t.TypeStringID):
            self._count(count * type_.get_size(), path)
            return {"text": self._texts(dataset, shape, path), "shape": shape}
        if self._fields and isinstance(type_, h5py.h5t.TypeCompoundID):
            dtype = _packed(type_, path)
            names = dtype.names
            numbers: Any = [[name, dtype[name].name] for name in names] if names else dtype.name
        else:
            numbers = _number_type(type_)
            if numbers is None:
                raise InputError(f"{path!r} has a type that is neither numbers nor text")
            dtype = type_.dtype.newbyteorder("=")
        self._count(self._copies * count * dtype.itemsize, path)
        self.numbers.append((dataset, dtype))
        return {"numbers": numbers, "shape": shape}

    def _count(self, size: int, path: str) -> None:
        self.bytes += size
        check_memory(self.bytes, f"the file up to {path!r}", InputError)

    def _texts(self, dataset: Any, shape: list[int], path: str) -> list[str]:
        """Return all texts of a dataset; some at a time, since each may be as long as the file."""
        high = h5py.Dataset(dataset)
        if not shape:
            pieces = iter([[high[()]]])
        else:
            wide = max(math.prod(shape[1:]), 1)
            if shape[0] * wide > MOST_OBJECTS:
                raise InputError(f"{path!r} holds more than {MOST_OBJECTS:,} texts")
            rows = max(1, _LONGEST_TEXT * 64 // ((self._longest + 64) * wide))
            pieces = (
                high[start : start + rows].reshape(-1).tolist()
                for start in range(0, shape[0], rows)
            )
        found: list[str] = []
        for piece in pieces:
            self._characters += sum(map(len, piece))
            if self._characters > _LONGEST_TEXT:
                raise InputError(f"its texts have more than {_LONGEST_TEXT:,} characters")
            found += [text.decode() for text in piece]
        return found


def _opened(group: Any, name: bytes, path: str) -> Any:
    """Return a group or a dataset by its name.

    Raises:
        InputError: the name is a link, or leads to something else.
    """
    kind = group.links.get_info(name).type
    if kind != h5py.h5l.TYPE_HARD:
        what = _LINKS.get(kind, "a link of an unknown kind")
        raise InputError(f"{path!r} is {what}; only what the file itself holds is read")
    object_ = h5py.h5o.open(group, name)
    if not isinstance(object_, h5py.h5g.GroupID | h5py.h5d.DatasetID):
        raise InputError(f"{path!r} is neither a group nor a dataset")
    return object_


def _check_objects(path: str) -> None:
    """Raise InputError if an object of a file is not stored in it, or is larger than the budget."""
    left = [(h5py.h5g.open(h5py.h5f.open(path.encode(), h5py.h5f.ACC_RDONLY), b"/"), "")]
    groups: set[int] = set()
    count = 0
    while left:
        group, place = left.pop()
        address = h5py.h5o.get_info(group).addr
        if address in groups:
            raise InputError(f"{place!r} is a group that has another name too")
        groups.add(address)
        for raw in group:
            count += 1
            if count > MOST_OBJECTS:
                raise InputError(f"it holds more than {MOST_OBJECTS:,} objects")
            inner = f"{place}/{raw.decode()}"
            object_ = _opened(group, raw, inner)
            if isinstance(object_, h5py.h5g.GroupID):
                left.append((object_, inner))
                continue
            _check_storage(object_, inner)
            size = math.prod(object_.shape or ()) * object_.get_type().get_size()
            check_memory(size, f"{inner!r}", InputError)


def _check_storage(dataset: Any, path: str) -> None:
    """Raise InputError if a dataset's values are elsewhere, or need a plugin to be read."""
    storage = dataset.get_create_plist()
    if storage.get_layout() == h5py.h5d.VIRTUAL or storage.get_external_count():
        raise InputError(f"{path!r} has its values in other files; only this file is read")
    for number in range(storage.get_nfilters()):
        code = storage.get_filter(number)[0]
        if code not in _FILTERS:
            raise InputError(
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


def _packed(type_: Any, path: str) -> np.dtype:
    """Return a type of named fields without gaps, in this machine's byte order.

    Raises:
        InputError: a field is not a number.
    """
    if type_.get_nmembers() > MOST_FIELDS:
        raise InputError(f"{path!r} has more than {MOST_FIELDS} fields")
    fields = []
    for number in range(type_.get_nmembers()):
        member = type_.get_member_type(number)
        name = type_.get_member_name(number).decode()
        if _number_type(member) is None:
            raise InputError(f"{path!r} has a field {name!r} that is not numbers")
        fields.append((name, member.dtype.newbyteorder("=")))
    complex_ = type_.dtype.newbyteorder("=")  # h5py takes fields "r" and "i" for one number
    return complex_ if complex_.kind == "c" else np.dtype(fields)


def _values(dataset: Any, dtype: np.dtype) -> np.ndarray:
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
