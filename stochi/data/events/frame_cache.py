"""Frames kept on disk, one file a recording, so that it is binned once."""

import hashlib
import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stochi.data.events.binning import LostEvents
from stochi.errors import InputError
from stochi.files import is_plain_file, written_aside

_LAYOUT = "stochi frames 1"
_COUNTS = struct.Struct("<3q")
_SUM = hashlib.sha256().digest_size


@dataclass(frozen=True)
class FrameCache:
    """A folder of frames: a checksum, the counts of lost events, and the frames, 8 places a byte.

    Attributes:
        folder: the folder; it is created if it is missing.
    """

    folder: Path

    def __post_init__(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{self.folder}: not a folder that a cache can be written into ({error.strerror})"
            ) from error

    def get(self, key: str, shape: tuple[int, ...]) -> tuple[np.ndarray, LostEvents] | None:
        """Return what was kept, or None if there is nothing, or if it is damaged.

        Args:
            key: what the frames were made from.
            shape: of the frames, (time steps, polarities, height, width).
        """
        path, count = self._path(key), math.prod(shape)
        size = _SUM + _COUNTS.size + (count + 7) // 8
        # Whatever else stands there, a pipe or a folder for example, is not what was kept.
        if not is_plain_file(path) or path.stat().st_size != size:
            return None
        content = path.read_bytes()
        kept = content[_SUM:]
        if content[:_SUM] != _checksum(key, kept):
            return None
        bits = np.frombuffer(kept, np.uint8, offset=_COUNTS.size)
        frames = np.unpackbits(bits, count=count).view(np.bool_).reshape(shape)
        return frames, LostEvents(*_COUNTS.unpack_from(kept))

    def put(self, key: str, frames: np.ndarray, lost: LostEvents) -> None:
        """Keep frames."""
        counts = _COUNTS.pack(lost.clipped, lost.outside, lost.events)
        kept = counts + np.packbits(frames).tobytes()
        with written_aside(self._path(key), lasting=False) as aside:
            aside.write_bytes(_checksum(key, kept) + kept)

    def _path(self, key: str) -> Path:
        name = hashlib.sha256(f"{_LAYOUT}\n{key}".encode()).hexdigest()
        return self.folder / name[:2] / f"{name[2:]}.frames"


def open_cache(folder: str | Path | None) -> FrameCache | None:
    """Return the cache in a folder that the user named, if there is one."""
    return None if folder is None else FrameCache(Path(folder).expanduser())


def _checksum(key: str, kept: bytes) -> bytes:
    return hashlib.sha256(f"{_LAYOUT}\n{key}\n".encode() + kept).digest()
