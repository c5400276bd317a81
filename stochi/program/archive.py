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

from stochi.errors import ProgramError
from stochi.files import kind_of_file, what_is_missing, written_aside

Arrays = dict[str, np.ndarray]
Header = dict[str, Any]
_HEADER, _CHECKSUM = "header", "sha256"


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
        ProgramError: the file is missing, foreign, of a version that is not readable, or damaged.
    """
    source = Path(path)
    title, again = form.title, f"write it again with {form.made_by!r}"
    if not source.is_file():
        raise ProgramError(
            f"{source}: {what_is_missing(source)}; {form.made_by!r} writes a {title}"
        )
    try:
        with np.load(source, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        stored = arrays.pop(_CHECKSUM).tobytes()
        header = json.loads(arrays[_HEADER].tobytes())
        known = header.get("format") == form.name
    except Exception as error:  # numpy, zipfile, zlib and json raise many kinds
        kind = kind_of_file(source)
        raise ProgramError(
            f"{source}: not a Stochi {title}, or a damaged one; {again}"
            if kind is None or "Program" in kind
            else f"{source}: {kind}, not a Stochi {title}; {form.made_by!r} makes one of a graph,"
            " and 'stochi export' a graph of a checkpoint"
        ) from error
    if not known:
        raise ProgramError(f"{source}: not a Stochi {title}")
    version = header.get("version")
    if version not in form.readable:
        raise ProgramError(
            f"{source}: {title} version {version}, this Stochi reads"
            f" {' and '.join(map(str, form.readable))}; lower the graph again with this version"
        )
    if stored != _checksum(arrays):
        raise ProgramError(f"{source}: the checksum does not match; the file is damaged")
    return header, arrays


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
    kind: Any, header: Header, arrays: Arrays, names: Mapping[str, str] | None = None, **given: Any
) -> Any:
    """The dataclass that :func:`describe` described; ``given`` are the fields that it left out."""
    values = dict(given)
    for field in fields(kind):
        if field.name in given:
            continue
        value = header[(names or {}).get(field.name, field.name)]
        if isinstance(value, dict):
            value = arrays[value["array"]]
        values[field.name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def _checksum(arrays: Arrays) -> bytes:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape};".encode())
        digest.update(array.tobytes())
    return digest.digest()
