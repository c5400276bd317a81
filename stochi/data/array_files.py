"""Files of numpy arrays, read without running any code that they hold."""

from pathlib import Path
from typing import TYPE_CHECKING

from stochi.errors import InputError
from stochi.files import what_is_missing

if TYPE_CHECKING:
    import numpy as np

NUMPY = (".npy", ".npz")


def load_arrays(path: Path) -> "dict[str, np.ndarray]":
    """Read the arrays of a .npy or .npz file by name; the one of a .npy file has the name "".

    Raises:
        InputError: the file is missing or damaged, or reading it would run code.
    """
    if not path.is_file():
        raise InputError(f"{path}: {what_is_missing(path)}")
    import numpy as np

    try:
        content = np.load(path, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return {"": content}
        with content as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as error:  # numpy, zipfile and zlib raise many kinds
        if "allow_pickle" in str(error) and _may_be_pickled(path):
            raise InputError(
                f"{path}: holds Python objects, which could run code when they are read; save"
                " arrays of numbers (numpy.save with allow_pickle=False)"
            ) from error
        raise InputError(
            f"{path}: not a file of numpy.save or numpy.savez, or a damaged one; save it again"
        ) from error


def _may_be_pickled(path: Path) -> bool:
    """Return whether a file begins as numpy's files or pickles do; numpy takes any other for one.

    A pickle of protocol 2 or later begins with the byte 128.
    """
    with path.open("rb") as file:
        start = file.read(6)
    return start == b"\x93NUMPY" or start[:2] == b"PK" or start[:1] == b"\x80"
