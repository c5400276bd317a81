"""An archive of arrays and one JSON header, with a checksum; nothing in it is unpickled.

The SHA-256 covers the header and the arrays. Dataclasses become headers here and are built from
them again; arrays of a dataclass stand beside the header, named ``prefix.field``.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from stochi.budget import check_budgets, check_memory
from stochi.errors import ProgramError
from stochi.files import OF_THE_SYSTEM, check_plain_file, kind_of_file, written_aside
from stochi.program.members import Arrays, read_members
from stochi.program.wording import shown

Header = dict[str, Any]
_HEADER, _CHECKSUM = "header", "sha256"
_BY_CHARACTER = 50
"""Bytes of memory for each character of a header, once it is read."""


@dataclass(frozen=True)
class Format:
    """Format of a file, and what people call it.

    Attributes:
        name: written into the header, which tells the format from others.
        title: what people call such a file.
        made_by: the command that writes one, for messages.
        version: of new files.
        readable: versions that can be read.
    """

    name: str
    title: str
    made_by: str
    version: int
    readable: tuple[int, ...]


def write_archive(path: str | Path, form: Format, header: Header, arrays: Arrays) -> None:
    """Write header and arrays, aside and then into place; the same content, the same bytes."""
    whole = {"format": form.name, "version": form.version, **header}
    stored: dict[str, Any] = dict(arrays)
    stored[_HEADER] = np.frombuffer(json.dumps(whole, sort_keys=True).encode(), np.uint8)
    stored[_CHECKSUM] = np.frombuffer(_checksum(stored), np.uint8)
    with written_aside(path) as aside, aside.open("wb") as file:
        np.savez_compressed(file, **stored)


def read_archive(path: str | Path, form: Format) -> tuple[Header, Arrays]:
    """Read a header and its arrays.

    Raises:
        ProgramError: the file is missing, foreign, of a version that is not readable, damaged or
            larger than the budget of memory, or has arrays that its header does not name.
    """
    source = Path(path)
    title = form.title
    check_budgets()  # before errors count as the file's
    check_plain_file(source, f"{form.made_by!r} writes a {title}", ProgramError)
    header, arrays, stored = _unpack(source, form)
    if header.get("format") != form.name:
        raise ProgramError(f"{source}: not a Stochi {title}")
    version = header.get("version")
    if type(version) is not int or version not in form.readable:
        raise ProgramError(
            f"{source}: {title} version {shown(version)}, this Stochi reads"
            f" {' and '.join(map(str, form.readable))}; lower the graph again with this version"
        )
    if stored != _checksum(arrays):
        raise ProgramError(f"{source}: the checksum does not match; the file is damaged")
    return header, arrays


def _unpack(source: Path, form: Format) -> tuple[Header, Arrays, bytes]:
    """Return the header, the arrays and the checksum of a file that may be none of ours."""
    title, kind = form.title, None
    try:
        arrays = read_members(source)
        stored = arrays.pop(_CHECKSUM).tobytes()
        check_memory(_BY_CHARACTER * arrays[_HEADER].nbytes, "its header", ProgramError)
        header = json.loads(
            arrays[_HEADER].tobytes(), object_pairs_hook=_no_key_twice, parse_constant=_no_number
        )
        if isinstance(header, dict):
            return header, arrays, stored
    except ProgramError as error:
        raise ProgramError(f"{source}: {error}") from error
    except Exception as error:  # numpy, zipfile, zlib and json raise many kinds
        if isinstance(error, OSError) and error.errno in OF_THE_SYSTEM:
            raise
        kind = kind_of_file(source)
    raise ProgramError(
        f"{source}: not a Stochi {title}, or a damaged one; write it again with {form.made_by!r}"
        if kind is None or "Program" in kind
        else f"{source}: {kind}, not a Stochi {title}; {form.made_by!r} makes one of a graph,"
        " and 'stochi export' a graph of a checkpoint"
    )


def _no_key_twice(pairs: list[tuple[str, Any]]) -> Header:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is not a number of JSON")


def describe(
    thing: Any,
    prefix: str,
    arrays: Arrays,
    *,
    leave_out: Collection[str] = (),
    names: Mapping[str, str] | None = None,
) -> Header:
    """A dataclass's plain values; its arrays are put into ``arrays`` and named in the header.

    Args:
        prefix: of the arrays' names.
        leave_out: fields that are described elsewhere.
        names: field → its name in the header, where that is another.
    """
    described: Header = {}
    for field in fields(thing):
        if field.name in leave_out:
            continue
        value, name = getattr(thing, field.name), (names or {}).get(field.name, field.name)
        if isinstance(value, np.ndarray):
            arrays[f"{prefix}.{name}"] = value
            value = {"array": f"{prefix}.{name}"}
        described[name] = value
    return described


def build(
    kind: Any,
    header: Header,
    arrays: Arrays,
    names: Mapping[str, str] | None = None,
    **given: Any,
) -> Any:
    """The dataclass that :func:`describe` described; ``given`` are the fields that it left out.

    Raises:
        ValueError: the header has a key that belongs to nothing.
        KeyError, TypeError, AttributeError: it lacks a key, or a value is of another kind.
    """
    values, used = dict(given), []
    for field in fields(kind):
        name = (names or {}).get(field.name, field.name)
        if field.name in given:
            continue
        used.append(name)
        value = header[name]
        if isinstance(value, dict):
            _check_keys(value, "array")
            value = arrays[value["array"]]
        values[field.name] = tuple(value) if isinstance(value, list) else value
    _check_keys(header, *used)
    return kind(**values)


def check_all_used(header: Header, arrays: Arrays) -> None:
    """Raise ValueError if there is an array that a header does not name."""
    named, left = {_HEADER}, [header]
    while left:
        for key, value in left.pop().items():
            parts = value if isinstance(value, list) else [value]
            left += [part for part in parts if isinstance(part, dict)]
            if key == "array" and isinstance(value, str):
                named.add(value)
    unused = sorted(arrays.keys() - named)
    if unused:
        raise ValueError(f"nothing uses its array {shown(unused[0])}")


def _check_keys(header: Header, *keys: str) -> None:
    """Raise ValueError if a header has others than these."""
    unknown = sorted(header.keys() - set(keys))
    if unknown:
        raise ValueError(f"nothing is known of its {shown(unknown[0])}")


def _checksum(arrays: Arrays) -> bytes:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape};".encode())
        digest.update(array.data)
    return digest.digest()
