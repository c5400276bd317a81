"""Files of numpy arrays, read without running any code that they hold."""

import io
import math
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from stochi.budget import check_memory
from stochi.errors import InputError
from stochi.files import check_plain_file, list_members, read_member

if TYPE_CHECKING:
    import numpy as np

NUMPY = (".npy", ".npz")
_MAGIC = b"\x93NUMPY"
_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06")
_COPIES = 2
"""Times that an array is in memory while it is read and brought into another type."""


def load_arrays(path: Path) -> "dict[str, np.ndarray]":
    """Read the arrays of a .npy or .npz file by name; the one of a .npy file has the name "".

    Raises:
        InputError: the file is missing or damaged, reading it would run code, or its arrays take
            more memory than the budget allows.
    """
    check_plain_file(path)
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
            if start[:4] in _ARCHIVES:
                return _read_archive(path, file)
            if start != _MAGIC:
                raise ValueError("neither kind of file")
            check_memory(_COPIES * path.stat().st_size, f"{path}")
            file.seek(0)
            return {"": _read_array(file, path.stat().st_size)}
    except InputError:
        raise
    except Exception as error:  # numpy, zipfile and zlib raise many kinds
        if isinstance(error, _HoldsObjects) or _may_be_pickled(path):
            raise InputError(
                f"{path}: holds Python objects, which could run code when they are read; save"
                " arrays of numbers (numpy.save with allow_pickle=False)"
            ) from error
        raise InputError(
            f"{path}: not a file of numpy.save or numpy.savez, or a damaged one; save it again"
        ) from error


class _HoldsObjects(Exception):
    """Arrays of Python objects, which numpy would unpickle."""


def _read_archive(path: Path, file: IO[bytes]) -> "dict[str, np.ndarray]":
    """Read the arrays of a .npz file; zipfile unpacks no more than a member's stated size."""
    with zipfile.ZipFile(file) as archive:
        members = list_members(archive)
        check_memory(_COPIES * sum(member.file_size for member in members), f"{path}")
        return {
            member.filename.removesuffix(".npy"): _read_array(
                io.BytesIO(read_member(archive, member)), member.file_size
            )
            for member in members
        }


def _read_array(file: IO[bytes], size: int) -> "np.ndarray":
    """Read an array after its header was compared with the size of what holds it."""
    import numpy as np

    version = np.lib.format.read_magic(file)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0  # version 3 has other letters in names of fields
    )
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise _HoldsObjects
    needed = math.prod(shape) * dtype.itemsize
    if not dtype.itemsize or any(side < 0 for side in shape) or needed > size - file.tell():
        raise ValueError(f"an array of {shape} {dtype} in {size - file.tell()} bytes")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def _may_be_pickled(path: Path) -> bool:
    """Return whether a file begins as a pickle of protocol 2 or later does."""
    with path.open("rb") as file:
        return file.read(1) == b"\x80"
