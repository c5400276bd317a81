"""A folder whose files are listed with their SHA-256, in the form that ``sha256sum -c`` reads."""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stochi.errors import InputError, WriteError
from stochi.temporary import Reserved, remove_left_behind, reserved

LIST = "SHA256SUMS"
_LEFT_BY_PYTHON = "__pycache__"


def check_folder(path: str | Path) -> None:
    """Raise InputError unless a folder can be written there, before its content is computed.

    It may be missing or empty, or hold nothing but what an earlier write has left there: files that
    somebody has added or changed are not deleted.
    """
    target = Path(path)
    if not target.exists():
        parent = next(p for p in target.absolute().parents if p.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK):
            raise InputError(f"{target}: {parent} cannot be written into; choose another folder")
        return
    if not target.is_dir():
        raise InputError(f"{target}: a file, not a folder; give the name of a folder")
    known = _read_list(target)
    for file in sorted(target.rglob("*")):
        name = file.relative_to(target).as_posix()
        if file.is_dir() or _LEFT_BY_PYTHON in file.parts or name == LIST:
            continue
        if known.get(name) != hashlib.sha256(file.read_bytes()).hexdigest():
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
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(folder).as_posix()}"
        for file in files
    ]
    (folder / LIST).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _replace(target: Path, new: Reserved) -> None:
    """Move a folder to its place; what was there goes last, or comes back if that fails.

    If the process is killed in between, the next start brings it back.
    """
    new.file.write_bytes(os.fsencode(target.name))
    if target.exists():
        new.folder.chmod(stat.S_IMODE(target.stat().st_mode))
        os.replace(target, new.before)
    try:
        os.replace(new.folder, target)
    except BaseException:
        if new.before.exists():
            os.replace(new.before, target)
        raise
    shutil.rmtree(new.before, ignore_errors=True)


def _read_list(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / LIST).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.partition("  ") for line in lines)
    return {name: digest for digest, _, name in pairs}
