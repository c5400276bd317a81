"""A folder whose files are listed with their SHA-256, in the form that ``sha256sum -c`` reads."""

import fcntl
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stochi.errors import InputError, WriteError
from stochi.files import check_output_folder, is_plain_file
from stochi.temporary import Reserved, remove_left_behind, reserved

LIST = "SHA256SUMS"
_LEFT_BY_PYTHON = "__pycache__"
LONGEST_WAIT = 5.0
"""Seconds for other processes that write the same folder."""


def check_folder(path: str | Path) -> None:
    """Raise InputError unless a folder can be written there, before its content is computed.

    It may be missing or empty, or hold nothing but what an earlier write has left there: files that
    somebody has added or changed are not deleted.
    """
    check_output_folder(path, replaced=True)
    if Path(path).exists():
        with _alone_in(Path(path).resolve().parent):
            _check_unchanged(Path(path))


def _check_unchanged(target: Path) -> None:
    known = _read_list(target)
    for file in sorted(target.rglob("*")):
        name = file.relative_to(target).as_posix()
        is_link = file.is_symlink()
        if (file.is_dir() and not is_link) or _LEFT_BY_PYTHON in file.parts or name == LIST:
            continue
        # Of what has another name nothing is read: it may be a pipe, or large.
        if is_link or name not in known or known[name] != _digest(file):
            raise InputError(
                f"{target} holds {name}, which was added or changed by somebody else; choose"
                " another folder, or move this one away"
            )


@contextmanager
def folder_written_aside(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder, list its files, and move it to ``path`` if the block succeeds.

    If the block raises, ``path`` stays as it was. If the process is killed, the next write of a
    file or folder next to it removes the temporary folder.

    Raises:
        InputError: as for :func:`check_folder`.
        WriteError: the folder cannot be written: a full disk, a limit, missing permissions.
    """
    check_folder(path)
    target = Path(path).resolve()  # a link stays, and what it points to is replaced
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_left_behind(target.parent)
        with reserved(target.parent) as new:
            new.folder.mkdir()
            yield new.folder
            _list_files(new.folder)
            _replace(target, new)
    except OSError as error:
        if error.errno is None:
            raise
        raise WriteError(error.errno, error.strerror, str(path)) from error


def _list_files(folder: Path) -> None:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    lines = [f"{_digest(file)}  {file.relative_to(folder).as_posix()}" for file in files]
    (folder / LIST).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _replace(target: Path, new: Reserved) -> None:
    """Move a folder to its place; what was there goes last, or comes back if that fails.

    Whatever ends it in between, the end of the reservation or the next start brings it back.
    """
    new.file.write_bytes(os.fsencode(target.name))
    with _alone_in(target.parent):
        _check_unchanged(target)
        with suppress(FileNotFoundError):
            new.folder.chmod(stat.S_IMODE(target.stat().st_mode))
            os.replace(target, new.before)
        os.replace(new.folder, target)
    shutil.rmtree(new.before, ignore_errors=True)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process looks at a folder in this one or replaces it.

    The wait has an end: a process that was stopped may hold the lock for hours.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        end = time.monotonic() + LONGEST_WAIT
        while time.monotonic() < end:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:  # a file system without locks
                break
        yield
    finally:
        os.close(handle)


def _digest(file: Path) -> str | None:
    """Return a file's SHA-256 as text, None if it cannot be read or is a pipe, for example."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest() if is_plain_file(file) else None
    except OSError:
        return None


def _read_list(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / LIST).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.partition("  ") for line in lines)
    return {name: digest for digest, _, name in pairs}
