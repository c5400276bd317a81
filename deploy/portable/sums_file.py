"""A folder whose files are listed with their SHA-256, in the form that ``sha256sum -c`` reads."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stochi.errors import InputError

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

    If the block raises, ``path`` stays as it was.

    Raises:
        InputError: as for :func:`check_folder`.
    """
    check_folder(path)
    target = Path(path).resolve()  # a link stays, and what it points to is replaced
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part"))
    try:
        yield aside
        files = sorted(file for file in aside.rglob("*") if file.is_file())
        lines = [
            f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(aside).as_posix()}"
            for file in files
        ]
        (aside / LIST).write_text("\n".join(lines) + "\n", encoding="utf-8")
        # mkdtemp makes the folder private; give it the permissions of a plain mkdir().
        umask = os.umask(0)
        os.umask(umask)
        aside.chmod(0o777 & ~umask)
        _replace(target, aside)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _replace(target: Path, aside: Path) -> None:
    """Move a folder to its place; what was there goes last, or comes back if that fails."""
    before = aside.with_suffix(".before")
    if target.exists():
        os.replace(target, before)
    try:
        os.replace(aside, target)
    except BaseException:
        if before.exists():
            os.replace(before, target)
        raise
    shutil.rmtree(before, ignore_errors=True)


def _read_list(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / LIST).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.partition("  ") for line in lines)
    return {name: digest for digest, _, name in pairs}
