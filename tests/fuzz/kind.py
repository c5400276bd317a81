"""A kind of file, and what is done with one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random


@dataclass(frozen=True)
class Kind:
    """A kind of file that people load.

    Attributes:
        name: as people call such files, in the plural.
        originals: writes valid files into a folder and returns their paths; the same on each call.
        mutate: writes a damaged or altered copy of an original to a path; every choice it makes
            comes from the Random. It mixes plain damage (``mutation.damage``) with changes that
            keep the file readable, checksums made anew, so that they reach what lies behind.
        crafted: writes hostile files into a folder; what each one tries → its path.
        use: loads a file and uses it as far as it goes: both engines, for what runs. Raises a
            StochiError for a file that it refuses, and AssertionError for a wrong answer.
    """

    name: str
    originals: Callable[[Path], list[Path]]
    mutate: Callable[[Random, Path, Path], None]
    crafted: Callable[[Path], dict[str, Path]]
    use: Callable[[Path], None]
