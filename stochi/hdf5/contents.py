"""What a file of HDF5 holds, as dictionaries of text and arrays, from the process that reads it."""

import contextlib
import json
import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from stochi.budget import check_budgets, check_memory
from stochi.errors import InputError, StochiError
from stochi.hdf5.number_types import NUMBERS

_CODE = "import sys; sys.path[:] = {path!r}; from stochi.hdf5.reader import main; main()"
_PIPE = 2**20
"""Bytes that the process may write ahead."""
_LONGEST_HEADER = 2**28


@dataclass(frozen=True)
class Form:
    """What is read of a kind of file, and what is said of a file that is not one.

    Attributes:
        what: the kind, with an article.
        remedy: what to do about a damaged file.
        places: names of outermost objects; the first that a file has is read. "/" is the file.
        names: names of datasets that are read in a group, in lower case; of others only the names
            are. None: all are read, and the groups in a group.
        copies: times that numbers are in memory later.
        fields: whether numbers in named fields are read, as structured arrays.
        error: the kind of error that is raised.
    """

    what: str
    remedy: str
    places: tuple[str, ...] = ("/",)
    names: tuple[str, ...] | None = None
    copies: int = 1
    fields: bool = False
    error: type[StochiError] = InputError


def read_contents(source: Path, form: Form) -> dict[str, Any]:
    """Return what a file of HDF5 holds in one of a form's places, by name.

    Groups are dictionaries, what is not read is None. Nothing outside the file is read, and nothing
    that takes more than the budget of memory.

    Raises:
        StochiError: ``form.error``; the file is not HDF5, is damaged, or reaches outside itself.
        OSError: the file cannot be opened.
    """
    request = {name: getattr(form, name) for name in ("places", "names", "copies", "fields")}
    request["path"] = None
    return _ask(source, form, request)


def check_objects(source: Path, form: Form) -> None:
    """Raise unless all objects of a file of HDF5 lie in it and are within the budget of memory.

    Values are not read, so a file may be damaged after all.

    Raises:
        StochiError: ``form.error``; the file is not HDF5, is damaged, or reaches outside itself.
        OSError: the file cannot be opened.
    """
    _ask(source, form, {"path": os.path.abspath(source)})


def _ask(source: Path, form: Form, request: dict[str, Any]) -> dict[str, Any]:
    check_budgets()  # before errors count as the file's
    # A pipe, which a file may have become meanwhile, would wait for a writer.
    handle = os.open(
        source, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise form.error(f"{source}: not a regular file; give {form.what}")
        if request["path"] is None:
            check_memory(2 * os.fstat(handle).st_size, f"{source}", form.error)  # with a copy
        reader = subprocess.Popen(
            [sys.executable, "-IB", "-c", _CODE.format(path=sys.path), json.dumps(request)],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pipesize=_PIPE,
            env=os.environ | {"HDF5_PLUGIN_PRELOAD": "::", "OPENBLAS_NUM_THREADS": "1"},
        )
    assert reader.stdout is not None
    try:
        with reader.stdout as received:
            return _receive(received)
    except _RefusedError as error:
        raise form.error(f"{source}: {error}") from None
    except (ValueError, TypeError, KeyError, AttributeError, MemoryError) as error:
        raise form.error(f"{source}: not {form.what}, or damaged; {form.remedy}") from error
    finally:
        with contextlib.suppress(OSError):
            reader.kill()
        reader.wait()


class _RefusedError(Exception):
    """The reader refused the file, with this message."""


def _receive(received: IO[bytes]) -> dict[str, Any]:
    length = int.from_bytes(_exactly(received, 8), "little")
    if length > _LONGEST_HEADER:
        raise ValueError("a header of this length is not the reader's")
    header = json.loads(_exactly(received, length))
    if "refused" in header:
        raise _RefusedError(header["refused"])
    return _group(header["tree"], received)


def _group(described: dict[str, Any], received: IO[bytes]) -> dict[str, Any]:
    return {name: _object(of, received) for name, of in described.items()}


def _object(described: dict[str, Any], received: IO[bytes]) -> Any:
    """Return a group as a dictionary, a single text as str, texts and numbers as arrays."""
    if "unread" in described:
        return None
    if "group" in described:
        return _group(described["group"], received)
    shape = tuple(described["shape"])
    if "text" in described:
        texts = described["text"]
        return np.array(texts, object).reshape(shape) if shape else texts[0]
    values = np.empty(shape, _dtype(described["numbers"]))
    _exactly_into(received, values)
    return values[()]


def _dtype(numbers: str | list[list[str]]) -> np.dtype:
    fields = [["", numbers]] if isinstance(numbers, str) else numbers
    if any(type_ not in NUMBERS for _, type_ in fields):
        raise ValueError("a type that the reader does not send")
    if isinstance(numbers, str):
        return np.dtype(numbers)
    return np.dtype([(name, type_) for name, type_ in fields])


def _exactly(received: IO[bytes], length: int) -> bytes:
    found = received.read(length)
    if len(found) != length:
        raise ValueError("the reader ended")
    return found


def _exactly_into(received: IO[bytes], values: np.ndarray) -> None:
    view, at = values.reshape(-1).view(np.uint8), 0
    while at < len(view):
        number = received.readinto(view[at:])  # type: ignore[attr-defined]
        if not number:
            raise ValueError("the reader ended")
        at += number
