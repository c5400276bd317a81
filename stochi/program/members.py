"""Arrays of numpy in a zip archive, read without believing what it says of their sizes.

Sizes are held against the budget of memory before anything is unpacked, and against each other. No
array holds anything but numbers, so nothing is unpickled.
"""

import io
import math
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from stochi.budget import check_memory
from stochi.errors import ProgramError
from stochi.files import list_members

Arrays = dict[str, np.ndarray]
_ENDING = ".npy"
_PIECE = 2**20
"""Bytes that are unpacked at a time."""
_BY_ENTRY = 20
"""Bytes of memory for each byte of a zip archive's list of contents."""
_COPIES = 2
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1


class DamagedArchive(Exception):
    """Error for an archive that is no archive of arrays, or not as it was written."""


class _Watched(io.BufferedReader):
    """A file of which no more is read at once than the budget of memory allows."""

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = -1 if size is None else size
        if wanted < 0:
            here = self.tell()
            wanted = self.seek(0, io.SEEK_END) - here
            self.seek(here)
        check_memory(_BY_ENTRY * wanted, "its list of contents", ProgramError)
        return super().read(wanted)


def read_members(path: Path) -> Arrays:
    """Return the arrays of an archive of ``numpy.savez``, by name.

    Raises:
        DamagedArchive: what is in it is not what it says, or not only arrays of numbers.
        ProgramError: it would take more memory than the budget.
        OSError, zipfile.BadZipFile: as the standard library raises them.
    """
    with _Watched(io.FileIO(path)) as file, zipfile.ZipFile(file) as archive:
        members = list_members(archive)
        names = [member.filename for member in members]
        if not all(name.endswith(_ENDING) for name in names):
            raise DamagedArchive("its members are not arrays")
        needed = _COPIES * sum(member.file_size for member in members)
        check_memory(needed, "what it holds", ProgramError)
        return {
            name.removesuffix(_ENDING): _read(archive, member)
            for name, member in zip(names, members, strict=True)
        }


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
        raise DamagedArchive(f"{member.filename!r} is packed in a way that numpy does not use")
    with archive.open(member) as file:
        shape, fortran, dtype = _read_header(file)
        size = math.prod(shape) * dtype.itemsize
        if file.tell() + size != member.file_size:
            raise DamagedArchive(f"{member.filename!r} does not have the size that it claims")
        values = np.empty(size, np.uint8)
        place = 0
        while place < size:
            piece = file.read(min(_PIECE, size - place))
            if not piece:
                raise DamagedArchive(f"{member.filename!r} ends early")
            values[place : place + len(piece)] = np.frombuffer(piece, np.uint8)
            place += len(piece)
        file.read(1)  # at its end the member's own checksum is compared
    return values.view(dtype).reshape(shape, order="F" if fortran else "C")


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise DamagedArchive("an array has a header of another version of numpy's format")
    if dtype.kind not in "biuf" or dtype.subdtype is not None or min(shape, default=1) < 0:
        raise DamagedArchive(f"an array of {dtype} and shape {shape} has no numbers")
    return shape, fortran, dtype
