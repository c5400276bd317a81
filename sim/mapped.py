"""Arrays in files that are mapped into memory, with their space on the disk reserved."""

import errno
import os
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from stochi.errors import WriteError

_UNKNOWN = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENODEV, errno.ENOSYS)
"""What a file system answers that cannot reserve space."""
_AT_ONCE = 2**20


def create_mapped(path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> np.memmap:
    """Create a .npy file of zeros and map it.

    Its space is reserved, since a process that writes to a mapped file on a full disk is killed.

    Raises:
        WriteError: there is not enough space, or the file cannot be written.
    """
    try:
        array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
        with path.open("r+b") as file:
            _reserve(file.fileno(), array.offset, array.offset + array.nbytes)
    except OSError as error:
        path.unlink(missing_ok=True)
        why = error.strerror or str(error)
        raise WriteError(error.errno or errno.EIO, why, str(path)) from error
    return array


def _reserve(handle: int, start: int, end: int) -> None:
    """Reserve the space of a file whose bytes from ``start`` to ``end`` are zero."""
    try:
        return os.posix_fallocate(handle, 0, end)
    except AttributeError:  # a system that does not have it
        pass
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise
    zeros = bytes(_AT_ONCE)
    for place in range(start, end, _AT_ONCE):
        os.pwrite(handle, zeros[: end - place], place)
