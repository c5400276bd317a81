"""Temporary files and folders that the next start removes if their process could not.

Each is reserved by a file that its process keeps locked. The system gives up a lock when the
process ends, however it ends. So a reservation that can be locked was left behind, and is removed
together with its folder. Locks hold across containers that share a folder, and across the clients
of a network file system that knows them; where locks are unknown, nothing is removed.
"""

import fcntl
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"\.stochi-[0-9a-f]{16}\.part")
_NEW = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
_EXISTING = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class Reserved:
    """A temporary file that stays locked, and the names that go with it.

    Attributes:
        file: the file; its name is new and tells nothing.
        handle: open file descriptor, which holds the lock.
        process: number of the process that reserved it.
    """

    file: Path
    handle: int
    process: int

    @property
    def folder(self) -> Path:
        """Temporary folder that this file may stand for."""
        return self.file.with_suffix(".folder")

    @property
    def before(self) -> Path:
        """Name of a folder that is being replaced."""
        return self.file.with_suffix(".before")


_held: set[Reserved] = set()
"""What this process has reserved, for :func:`release_all`."""


@contextmanager
def reserved(folder: Path, mode: int = 0o600) -> Iterator[Reserved]:
    """Reserve a temporary file in a folder, and remove it and its folder at the end.

    Args:
        folder: existing folder.
        mode: permissions of the file, of which the umask takes away some.
    """
    one = _reserve(folder, mode)
    _held.add(one)
    try:
        yield one
    finally:
        if one.process == os.getpid():  # not in a forked child, which shares the file
            _release(one)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a private folder in the system's folder for temporary files, and remove it at the end.

    Folders of processes that were killed are removed first.
    """
    place = Path(tempfile.gettempdir())
    remove_left_behind(place)
    with reserved(place) as one:
        one.folder.mkdir(0o700)
        yield one.folder


def remove_left_behind(folder: str | Path) -> None:
    """Remove from a folder what ended processes of this user left there; what is in use stays."""
    try:
        names = [name for name in os.listdir(folder) if _NAME.fullmatch(name)]
    except OSError:
        return
    for name in names:
        with suppress(OSError):  # in use, removed by another process, or not ours
            _remove_if_left(Path(folder) / name)


@contextmanager
def kept_tidy(folder: str | Path) -> Iterator[None]:
    """Remove from a folder, before and after the block, what killed processes left there."""
    remove_left_behind(folder)
    try:
        yield
    finally:
        remove_left_behind(folder)


def release_all() -> None:
    """Remove everything that this process has reserved, before it ends without unwinding."""
    for one in [one for one in _held if one.process == os.getpid()]:
        with suppress(OSError):
            _release(one)


def _reserve(folder: Path, mode: int) -> Reserved:
    while True:
        path = folder / f".stochi-{secrets.token_hex(8)}.part"
        handle = os.open(path, _NEW, mode)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another process looks at it, and will remove it
            os.close(handle)
            continue
        except OSError:  # a file system without locks
            pass
        if path.exists():
            return Reserved(path, handle, os.getpid())
        os.close(handle)


def _release(one: Reserved) -> None:
    _held.discard(one)
    try:
        shutil.rmtree(one.folder, ignore_errors=True)
        one.file.unlink(missing_ok=True)
    finally:
        os.close(one.handle)


def _remove_if_left(path: Path) -> None:
    handle = os.open(path, _EXISTING)
    try:
        status = os.fstat(handle)
        if status.st_uid != os.geteuid() or not stat.S_ISREG(status.st_mode):
            return
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        one = Reserved(path, handle, os.getpid())
        _put_back(one)
        shutil.rmtree(one.folder, ignore_errors=True)
        path.unlink()
    finally:
        os.close(handle)


def _put_back(one: Reserved) -> None:
    """Settle a replacement of a folder that was killed: put the old one back, or remove it."""
    if not one.before.is_dir():
        return
    target = one.file.parent / os.fsdecode(one.file.read_bytes())
    if target.parent == one.file.parent and not target.exists():
        os.replace(one.before, target)
    shutil.rmtree(one.before, ignore_errors=True)
