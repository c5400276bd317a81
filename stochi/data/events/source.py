"""Where recordings come from: read from files, or simulated, one at a time."""

import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stochi.data.events.recording import Recording
from stochi.errors import InputError
from stochi.files import what_is_missing


class Recordings(Protocol):
    """Numbered recordings of one sensor, none of which is kept in memory."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(polarities, height, width) of every recording."""

    def __len__(self) -> int: ...

    def read(self, number: int) -> Recording:
        """Return a recording.

        Raises:
            InputError: it is missing or damaged.
        """

    def identity(self, number: int) -> str:
        """Return a text that changes if the recording does; what was cached is found by it."""


@dataclass(frozen=True)
class RecordingFiles:
    """Recordings in files of their own.

    Attributes:
        paths: the files, in order.
        shape: (polarities, height, width) of every recording.
        parse: function from a path to its recording; raises InputError with the file's name.
        reading: what else a recording depends on, such as the unit of its times.
    """

    paths: tuple[Path, ...]
    shape: tuple[int, int, int]
    parse: Callable[[Path], Recording]
    reading: str = ""

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, number: int) -> Recording:
        """Return the recording in a file."""
        path = self.paths[number]
        try:
            mode = path.stat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # reading a pipe would wait
                raise InputError(f"{path}: {what_is_missing(path)}; move it elsewhere")
            return self.parse(path)
        except OSError as error:
            raise _unreadable(path, error) from error

    def identity(self, number: int) -> str:
        """Return the file's path, size and time of change, and how it is read."""
        return file_identity(self.paths[number]) + self.reading


@dataclass(frozen=True)
class Rearranged:
    """Recordings in another order.

    Attributes:
        recordings: the recordings.
        rows: the number that each had before.
    """

    recordings: Recordings
    rows: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(polarities, height, width) of every recording."""
        return self.recordings.shape

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, number: int) -> Recording:
        """Return a recording."""
        return self.recordings.read(self.rows[number])

    def identity(self, number: int) -> str:
        """Return what the recording's own number gives."""
        return self.recordings.identity(self.rows[number])


def file_identity(path: Path) -> str:
    """Return a file's path, size and time of change.

    Raises:
        InputError: the file is missing.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return f"{path.absolute()}:{state.st_size}:{state.st_mtime_ns}"


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: cannot be read ({error.strerror or error})")
