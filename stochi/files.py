"""Writing files: each is written under a temporary name and then moved, so none is half-written."""

import errno
import itertools
import os
import shutil
import stat
import struct
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stochi.errors import InputError, StochiError, WriteError, explain_cause, first_line
from stochi.plain_text import escape_surrogates
from stochi.temporary import remove_left_behind, reserved, temporary_folder

HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK\x03\x04"
PROGRAM = "an archive of numpy, like a Program"
"""What a file of arrays is called."""
OF_THE_SYSTEM = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)
"""Errors in reading that say nothing of the file."""


_LOCAL_HEADER = struct.Struct("<26xHH")
_LONGEST_DESCRIPTOR = 24
"""Bytes that may follow a member whose sizes were not known when it was begun."""


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
    try:
        with path.open("rb"):
            return
    except OSError as cause:
        if cause.errno in OF_THE_SYSTEM:
            raise
        raise error(f"{path}: cannot be read: {explain_cause(cause)}") from cause


def list_members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the members of an archive, which have different names and fill it.

    A damaged list of contents may leave a member out, whose bytes then belong to nothing.

    Raises:
        zipfile.BadZipFile: a name is used twice, or bytes of the archive belong to no member.
    """
    members = sorted(archive.infolist(), key=lambda member: member.header_offset)
    if len({member.filename for member in members}) < len(members):
        raise zipfile.BadZipFile("a name is used twice")
    file = archive.fp
    assert file is not None
    if members and members[0].header_offset > 0:
        raise zipfile.BadZipFile("bytes of it belong to no member")
    for member, following in itertools.zip_longest(members, members[1:]):
        file.seek(member.header_offset)
        header = file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size:
            raise zipfile.BadZipFile("a member lies outside the file")
        name, extra = _LOCAL_HEADER.unpack(header)
        end = member.header_offset + _LOCAL_HEADER.size + name + extra + member.compress_size
        start = archive.start_dir if following is None else following.header_offset
        if start - end > _LONGEST_DESCRIPTOR:
            raise zipfile.BadZipFile("bytes of it belong to no member")
    return members


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


def is_written_through(target: Path) -> bool:
    """Return whether a path names a device, a pipe or an open file of this process."""
    try:
        mode = target.stat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode) or _own_handle(target) is not None


def check_output(path: str | Path | None, *others: str | Path | None) -> None:
    """Raise InputError unless a file can be written there, before its content is computed.

    What a killed command left in the folder is removed.

    Args:
        others: files that are read, or also written; the path must be none of them.
    """
    if path is None:
        return
    target = Path(path)
    _check_kind(target)
    place = os.path.realpath(target)
    if place in [_real_place(other) for other in others if other is not None]:
        raise InputError(f"{target} is another file of this command; write to another name")
    if is_written_through(target):
        return
    try:
        _check_name(Path(place))
        if os.path.exists(place) and not os.access(place, os.W_OK):
            raise InputError(f"{target} cannot be written; change its permissions or the name")
        folder = _nearest(*Path(place).parents)
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise InputError(f"{target}: {folder} cannot be written into")
        _try_writing(folder)
    except OSError as error:
        raise InputError(f"{target} cannot be written: {explain_cause(error)}") from error
    remove_left_behind(folder)


def _real_place(path: str | Path) -> str:
    """Return where a path leads.

    Raises:
        InputError: no file can have this name.
    """
    try:
        return os.path.realpath(path)
    except ValueError as error:  # a zero byte
        raise InputError(f"{path}: no name of a file ({error}); choose another") from None


def check_output_folder(path: str | Path, *, replaced: bool = False) -> None:
    """Raise InputError unless files can be written into a folder, which may be missing.

    What a killed command left in it is removed.

    Args:
        replaced: whether a new folder will take its place, and the one that it lies in is written.
    """
    target = Path(path)
    try:
        place = Path(os.path.realpath(target))
        _check_name(place)
        folder = _nearest(place, *place.parents)
        if not folder.is_dir():
            what = "" if folder == place else f"{folder} is "
            raise InputError(f"{target}: {what}a file, not a folder; give the name of a folder")
        folder = folder.parent if replaced and folder == place else folder
        if not os.access(folder, os.W_OK):
            raise InputError(f"{target}: {folder} cannot be written into; choose another folder")
        _try_writing(folder)
    except InputError:
        raise
    except ValueError as error:  # a zero byte
        raise InputError(f"{target}: no name of a folder ({error}); choose another") from None
    except OSError as error:
        raise InputError(f"{target} cannot be written into: {explain_cause(error)}") from error
    remove_left_behind(folder)


def named_folder(path: str | Path) -> Path:
    """Return a folder that the user named, with ~ in its place.

    Raises:
        InputError: no file can have this name, or nobody has the home that it begins with.
    """
    try:
        folder = Path(path).expanduser()
        os.fsencode(folder)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{path}: no name of a folder ({first_line(error)})") from None
    if "\0" in f"{folder}":
        raise InputError(f"{folder}: no name of a folder (embedded null byte)")
    return folder


def _nearest(*folders: Path) -> Path:
    """Return the first of some folders that exists."""
    return next(folder for folder in folders if folder.exists())


def _try_writing(folder: Path) -> None:
    """Raise OSError unless a file can be made; some folders, as in /proc, only seem writable."""
    with reserved(folder):
        pass


def _check_name(place: Path) -> None:
    """Raise OSError if a file cannot have this name, which is too long or a loop of links."""
    with suppress(FileNotFoundError, NotADirectoryError):
        os.lstat(place)
        if place.is_symlink():  # what stays a link after all links were followed
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(place))
    folder = _nearest(*place.parents)
    # Names in a folder that is still to be created are not looked at by the system.
    longest = os.pathconf(folder, "PC_NAME_MAX")
    if any(len(os.fsencode(part)) > longest for part in place.parts):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(place))


def write_whole(path: str | Path, content: bytes | str) -> None:
    r"""Write a file from memory, as :func:`written_aside` does; text as UTF-8.

    Bytes of a file's name that are not UTF-8 stand in text as ``\udcff``.

    For what writes badly to a full disk: HDF5 ends the process, torch and pillow do not say why.
    """
    with written_aside(path) as aside:
        whole = escape_surrogates(content).encode() if isinstance(content, str) else content
        aside.write_bytes(whole)


@contextmanager
def written_aside(path: str | Path, *, lasting: bool = True) -> Iterator[Path]:
    """Yield a temporary path, and put what was written there in the place of ``path``.

    The new file lies next to the old one and is moved there if the block succeeds, with the old
    one's permissions and, as far as the system allows, its owner. A new file has those of a plain
    ``open``, and its folder is created. A link stays, and what it points to is replaced. If the
    block raises, ``path`` stays as it was and the temporary file is removed; if the process is
    killed, the next write into the folder removes it.

    What goes to a device, a pipe or an open file of this process, like /dev/stdout, is written
    through at the end of the block.

    Args:
        path: name of the file.
        lasting: whether the content must be on the disk before the old one is given up, so that
            even a power failure leaves one of both.

    Raises:
        InputError: ``path`` is a folder, or something else that no file can be written to.
        WriteError: the file cannot be written: a full disk, a limit, missing permissions.
    """
    target = Path(path)
    _check_kind(target)
    through = is_written_through(target)
    aside = None
    try:
        with temporary_folder() if through else _replaced(target, lasting) as place:
            aside = place / "content" if through else place
            yield aside
            if through:
                _copy_through(aside, target)
    except Exception as error:
        cause = _cause_in_writing(error, None if aside is None else (str(aside), str(target)))
        if cause is None:
            raise
        why = cause.strerror or str(cause)
        raise WriteError(cause.errno or errno.EIO, why, str(target)) from error


@contextmanager
def _replaced(target: Path, lasting: bool) -> Iterator[Path]:
    place = Path(os.path.realpath(target))
    before = place.stat() if os.path.lexists(place) else None
    if before is not None and not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
    place.parent.mkdir(parents=True, exist_ok=True)
    remove_left_behind(place.parent)
    with reserved(place.parent, 0o666 if before is None else 0o600) as new:
        yield new.file
        if before is not None:
            _take_over(new.handle, before)
        if lasting:
            os.fsync(new.handle)
        os.replace(new.file, place)


def _take_over(handle: int, before: os.stat_result) -> None:
    """Give a new file the owner and the permissions of the one that it replaces."""
    mode = stat.S_IMODE(before.st_mode) & 0o777
    new = os.fstat(handle)
    if (new.st_uid, new.st_gid) != (before.st_uid, before.st_gid):
        try:
            os.fchown(handle, before.st_uid, before.st_gid)
        except OSError:
            mode &= 0o707  # they were for another group
    os.fchmod(handle, mode)


def _check_kind(target: Path) -> None:
    """Raise InputError if something that is not a file, a pipe or a device has this name."""
    try:
        mode = target.stat().st_mode
    except OSError:
        return  # what is wrong is reported where it is written
    except ValueError as error:  # a zero byte
        raise InputError(f"{target}: no name of a file ({error}); choose another") from None
    if stat.S_ISDIR(mode):
        raise InputError(f"{target}: a folder, not a file; give the name of a file")
    if stat.S_ISBLK(mode) or (stat.S_ISSOCK(mode) and _own_handle(target) is None):
        raise InputError(f"{target}: a disk or a socket, not a file; give the name of a file")


def _own_handle(path: Path) -> int | None:
    """Return the file descriptor that names like /dev/stdout and /dev/fd/1 stand for, or None."""
    own = (f"/proc/{os.getpid()}/fd", "/dev/fd")
    for _ in range(40):
        if path.name.isdigit() and os.path.realpath(path.parent) in own:
            return int(path.name)
        if not path.is_symlink():
            return None
        path = path.parent / path.readlink()
    return None


def _copy_through(source: Path, target: Path) -> None:
    own = _own_handle(target)
    if own is not None:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        handle = os.dup(own)
    else:
        # Without O_NONBLOCK, a pipe that nobody reads from would be waited for without end.
        handle = os.open(target, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        os.set_blocking(handle, True)
    with source.open("rb") as content, open(handle, "wb") as sink:
        shutil.copyfileobj(content, sink)


def _cause_in_writing(
    error: BaseException | None, written: tuple[str, str] | None
) -> OSError | None:
    """Return the system's error while a file was written that another error comes from, or None.

    Args:
        error: what was raised, by us or by a library that was writing.
        written: names of what was being written, None if that has not begun.
    """
    if isinstance(error, StochiError):
        return None
    if written is None:
        return error if isinstance(error, OSError) else None
    looked_at: list[BaseException] = []
    while error is not None and error not in looked_at:
        if isinstance(error, OSError) and error.filename in (None, *written):
            return error
        looked_at.append(error)
        error = error.__cause__ or error.__context__
    return None
