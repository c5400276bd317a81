"""Where a data set is published, and the errors that report missing or damaged files of it."""

import gzip
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stochi.errors import InputError
from stochi.files import named_folder


@dataclass(frozen=True)
class Published:
    """A data set as its authors publish it.

    Attributes:
        title: its usual name.
        files: the files to look for, in words.
        address: where to download it.
    """

    title: str
    files: str
    address: str

    def existing_folder(self, data_dir: str | Path | None) -> Path:
        """Return the folder that the user named.

        Raises:
            InputError: no folder was named, or it does not exist.
        """
        if data_dir is None:
            raise InputError(
                f"{self.title} is not part of this package: put {self.files} into a folder and name"
                f" it with --data-dir (data_dir= in Python); {self._source()}"
            )
        folder = named_folder(data_dir)
        if not folder.is_dir():
            raise InputError(
                f"{folder}: no such folder; {self.title} needs one that holds {self.files};"
                f" {self._source()}"
            )
        return folder

    def absent(self, looked_in: Sequence[Path], found_instead: str = "") -> InputError:
        """Return the error for a set that is missing.

        Args:
            looked_in: all places that were searched, in order.
            found_instead: what was found but cannot be used, in words.
        """
        places = ", ".join(map(str, looked_in))
        return InputError(
            f"no {self.title} found: looked for {self.files} in {places}"
            + (f"; {found_instead}" if found_instead else "")
            + f"; {self._source()}"
        )

    @contextmanager
    def reading(self, file: str | Path) -> Iterator[None]:
        """Add the file's name and the remedy to any error raised in the block."""
        try:
            yield
        except InputError as error:
            raise InputError(f"{file}: {error}; {self._again()}") from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{file}: damaged gzip ({error}); {self._again()}") from error
        except tarfile.TarError as error:
            raise InputError(f"{file}: damaged tar ({error}); {self._again()}") from error

    def _source(self) -> str:
        return f"it is published at {self.address}"

    def _again(self) -> str:
        return f"download it again from {self.address}"
