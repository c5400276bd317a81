"""Files are written aside and moved into place, so that none is ever half-written."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stochi.errors import InputError


def what_is_missing(path: Path) -> str:
    """Why a path that is no file cannot be read as one."""
    return "a folder, not a file" if path.is_dir() else "no such file"


def _refuse_folder(target: Path) -> None:
    if target.is_dir():
        raise InputError(f"{target}: a folder, not a file; give the name of a file")


def check_output(path: str | Path | None) -> None:
    """Raise InputError where a file cannot be written there, before the work that it holds."""
    if path is None:
        return
    target = Path(path)
    _refuse_folder(target)
    folder = next(parent for parent in target.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"{target}: {folder} cannot be written into")


def check_figure(path: str | Path | None) -> None:
    """Raise InputError where a PNG cannot be written there, before the work that it shows."""
    if path is None:
        return
    target = Path(path)
    if target.suffix.lower() != ".png" or target.is_dir():
        raise InputError(f"{target}: give the name of a PNG file, like {target.stem or 'f'}.png")
    check_output(target)


@contextmanager
def written_aside(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` and move it onto ``path`` when the block succeeds.

    The folder is created if it is missing. If the block raises, ``path`` stays as it was and
    the temporary file is removed.

    Raises:
        InputError: ``path`` is a folder.
    """
    target = Path(path)
    _refuse_folder(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, name = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.name}.", suffix=".part"
        )
    except OSError as error:
        error.filename = str(target)  # nobody asked for the temporary one
        raise
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        # mkstemp makes the file private; give it what a plain open() would have given.
        umask = os.umask(0)
        os.umask(umask)
        aside.chmod(0o666 & ~umask)
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)
