"""The folder that a run writes probes into, which is one run's at a time."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stochi.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def held_folder(folder: str | Path | None) -> Iterator[Path | None]:
    """Make a folder, and keep other runs out of it while inside, also those of other processes.

    The lock ends with the process, however that ends. File systems without locks have none.

    Raises:
        InputError: the folder cannot be made, or another run is writing into it.
    """
    if folder is None:
        yield None
        return
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDONLY) if fcntl else None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", error)
        if isinstance(error, FileExistsError | NotADirectoryError):
            why = "not a folder"
        raise InputError(f"probe_folder {path}: {why}; choose another folder") from None
    if handle is None:
        yield path
        return
    try:
        _lock(handle, path)
        yield path
    finally:
        # A child that was forked meanwhile has the folder open, too, so closing would not do.
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def _lock(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise InputError(
                f"probe_folder {path}: another run is writing into it; give each run a folder of"
                " its own"
            ) from None
