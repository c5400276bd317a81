"""Writing files: each is written under a temporary name and then moved, so none is half-written."""

import errno
import os
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stochi.errors import InputError, StochiError

HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK\x03\x04"
PROGRAM = "an archive of numpy, like a Program"
"""What a file of arrays is called."""


def what_is_missing(path: Path) -> str:
    """Return why a path that is not a file cannot be read as one."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        if isinstance(error, OSError) and error.errno not in (errno.ENOENT, errno.ENOTDIR):
            return f"cannot be read ({error.strerror})"
        return "no such file"
    kinds = {stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
    return f"a {kinds.get(stat.S_IFMT(mode), 'device')}, not a file"


def is_plain_file(path: Path) -> bool:
    """Return whether a path leads to a file, whose size is known and whose reading never waits."""
    try:
        return path.is_file()
    except OSError:  # a name that is too long, or a folder that cannot be entered
        return False


def check_plain_file(path: Path, way_out: str = "", error: type[StochiError] = InputError) -> None:
    """Raise unless a path leads to a file that can be read; a pipe or a device may never end.

    Args:
        way_out: what to do if there is none, as the end of a message.
        error: the kind of error that is raised.
    """
    if not is_plain_file(path):
        raise error(f"{path}: {what_is_missing(path)}{way_out and f'; {way_out}'}")
    if not os.access(path, os.R_OK):
        raise error(f"{path}: cannot be read (Permission denied); change its permissions")


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return a member of an archive, checked, after unpacking no more than its stated size."""
    with archive.open(member) as file:
        return file.read(member.file_size + 1)


def kind_of_file(path: Path) -> str | None:
    """Return what a file is by its first bytes, None if they do not tell."""
    with path.open("rb") as file:
        start = file.read(8)
    if start == HDF5:
        return "a NIR graph, or another file of HDF5"
    if start[:4] == ZIP:
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except Exception:  # a damaged archive raises many kinds
            return None
        if any(name.endswith("data.pkl") for name in names):
            return "a file of torch.save, like a checkpoint"
        if all(name.endswith(".npy") for name in names):
            return PROGRAM
    return None


def _check_not_folder(target: Path) -> None:
    if target.is_dir():
        raise InputError(f"{target}: a folder, not a file; give the name of a file")


def check_output(path: str | Path | None, *others: str | Path | None) -> None:
    """Raise InputError unless a file can be written there, before its content is computed.

    Args:
        others: files that are read, or also written; the path must be none of them.
    """
    if path is None:
        return
    target = Path(path)
    _check_not_folder(target)
    if target.resolve() in [Path(other).resolve() for other in others if other is not None]:
        raise InputError(f"{target} is another file of this command; write to another name")
    folder = next(parent for parent in target.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"{target}: {folder} cannot be written into")


def check_figure(path: str | Path | None, *others: str | Path | None) -> None:
    """Raise InputError unless a PNG can be written there, before its content is computed.

    Args:
        others: as for :func:`check_output`.
    """
    if path is None:
        return
    target = Path(path)
    if target.suffix.lower() != ".png" or target.is_dir():
        raise InputError(f"{target}: give the name of a PNG file, like {target.stem or 'f'}.png")
    check_output(target, *others)


@contextmanager
def written_aside(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path next to ``path`` and move it to ``path`` if the block succeeds.

    The folder is created if it is missing. If the block raises, ``path`` stays as it was and
    the temporary file is removed.

    Raises:
        InputError: ``path`` is a folder.
    """
    target = Path(path)
    _check_not_folder(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, name = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.name}.", suffix=".part"
        )
    except OSError as error:
        error.filename = str(target)  # the user does not know the temporary name
        raise
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        # mkstemp makes the file private; give it the permissions of a plain open().
        umask = os.umask(0)
        os.umask(umask)
        aside.chmod(0o666 & ~umask)
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)
