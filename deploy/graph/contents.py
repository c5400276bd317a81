"""What a file of HDF5 holds, as dictionaries of text and arrays, from the process that reads it."""

import contextlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import numpy as np

from stochi.deploy.graph.hdf5 import NUMBERS
from stochi.errors import GraphError

_CODE = "import sys; sys.path[:] = {path!r}; from stochi.deploy.graph.hdf5 import main; main()"
_PIPE = 2**20
"""Bytes that the process may write ahead."""
_LONGEST_HEADER = 2**28


def read_contents(source: Path) -> dict[str, Any]:
    """Return what a file of HDF5 holds of a graph, as "node"; groups are dictionaries.

    Nothing outside the file is read, and nothing that takes more than the budget of memory.

    Raises:
        GraphError: the file is not HDF5, is damaged, or reaches outside itself.
        OSError: the file cannot be opened.
    """
    # A pipe, which a file may have become meanwhile, would wait for a writer.
    handle = os.open(
        source, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise GraphError(f"{source}: not a regular file; give a NIR graph file")
        reader = subprocess.Popen(
            [sys.executable, "-I", "-c", _CODE.format(path=sys.path)],
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
    except GraphError as error:
        raise GraphError(f"{source}: {error}") from None
    except (ValueError, TypeError, KeyError, AttributeError, MemoryError) as error:
        raise GraphError(
            f"{source}: not a NIR graph file, or damaged; write it again with nir.write or"
            " 'stochi export'"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            reader.kill()
        reader.wait()


def _receive(received: IO[bytes]) -> dict[str, Any]:
    length = int.from_bytes(_exactly(received, 8), "little")
    if length > _LONGEST_HEADER:
        raise ValueError("a header of this length is not the reader's")
    header = json.loads(_exactly(received, length))
    if "refused" in header:
        raise GraphError(header["refused"])
    return _group(header["tree"], received)


def _group(described: dict[str, Any], received: IO[bytes]) -> dict[str, Any]:
    return {name: _object(of, received) for name, of in described.items()}


def _object(described: dict[str, Any], received: IO[bytes]) -> Any:
    """Return a group as a dictionary, a single text as str, texts and numbers as arrays."""
    if "group" in described:
        return _group(described["group"], received)
    shape = tuple(described["shape"])
    if "text" in described:
        texts = described["text"]
        return np.array(texts, object).reshape(shape) if shape else texts[0]
    if described["numbers"] not in NUMBERS:
        raise ValueError("a type that the reader does not send")
    values = np.empty(shape, described["numbers"])
    _exactly_into(received, values)
    return values[()]


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
