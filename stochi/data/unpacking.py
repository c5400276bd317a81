"""Compressed files, unpacked no further than their content can be of use.

A few megabytes of gzip can hold gigabytes, and a tar can claim any size for its members.
"""

import gzip
import io
import tarfile
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from stochi.errors import InputError

_PIECE = 2**20
_MOST_MEMBERS = 1_000


def read_gzip(path: Path, most: int) -> bytes:
    """Return the content of a gzip file, or its first ``most`` bytes if it has more.

    Its checksum is compared if it has fewer.

    Raises:
        EOFError, zlib.error, gzip.BadGzipFile: it is damaged.
    """
    with gzip.open(path) as file:
        return file.read(most)


def read_tar(path: Path, names: Collection[str], most: int) -> dict[str, bytes]:
    """Return the content of files in a tar.gz by their names without folders.

    Nothing is written to disk, and links and devices are not followed.

    Args:
        names: the names to look for; other members are skipped.
        most: bytes that the tar may have, unpacked.

    Raises:
        InputError: it has more.
        EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError: it is damaged.
    """
    found: dict[str, bytes] = {}
    with gzip.open(path) as unpacked:
        limited = _Limited(unpacked, most)
        # As a stream, so that no member's size can lead back to an earlier one for ever.
        with tarfile.open(fileobj=limited, mode="r|") as tar:
            for number, member in enumerate(tar):
                if number >= _MOST_MEMBERS:
                    raise InputError(f"it has more than {_MOST_MEMBERS} members")
                if not 0 <= tar.offset <= most:  # of the next member: a stream is wound to anywhere
                    raise tarfile.ReadError(f"a member ends at {tar.offset}")
                name = PurePosixPath(member.name).name
                if name not in names or not member.isreg() or member.sparse is not None:
                    continue
                if not 0 <= member.size <= most:
                    raise tarfile.ReadError(f"a member of {member.size} bytes")
                content = tar.extractfile(member)
                assert content is not None
                found[name] = content.read()
        while limited.read(_PIECE):  # to the checksum, which is at the end
            pass
    return found


class _Limited(io.RawIOBase):
    """A stream that raises InputError once it has given more bytes than expected."""

    def __init__(self, source: gzip.GzipFile, most: int) -> None:
        self.source, self.most, self.given = source, most, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, as any stream does."""
        piece = self.source.read(min(size, self.most + 1) if size >= 0 else self.most + 1)
        self.given += len(piece)
        if self.given > self.most:
            raise InputError(f"it unpacks to more than {self.most:,} bytes, and does not belong")
        return piece
