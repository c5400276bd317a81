"""A Program's file taken apart, changed and put together again under a checksum made anew."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from stochi.program.archive import _checksum

Place = tuple[str | int, ...]
"""The way to a value in a header: keys and numbers."""


class Parts:
    """Header and arrays of a file.

    Attributes:
        header: the header as JSON has it.
        arrays: the other arrays, by name.
        text: the header's text, in place of ``header``, where it is not plain JSON.
    """

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as archive:
            self.arrays = {name: archive[name] for name in archive.files}
        del self.arrays["sha256"]
        self.header = json.loads(self.arrays.pop("header").tobytes())
        self.text: str | None = None

    def write(self, path: Path) -> None:
        """Write the file, with the checksum of what it now holds."""
        text = json.dumps(self.header) if self.text is None else self.text
        arrays: dict[str, Any] = {**self.arrays, "header": np.frombuffer(text.encode(), np.uint8)}
        arrays["sha256"] = np.frombuffer(_checksum(arrays), np.uint8)
        with path.open("wb") as file:
            np.savez(file, **arrays)

    def prune(self) -> None:
        """Remove the arrays that the header no longer names, which would be refused for that."""
        values = [self.get(place) for place in self.places() if place[-1] == "array"]
        self.arrays = {name: array for name, array in self.arrays.items() if name in values}

    def places(self) -> list[Place]:
        """Return the way to every value."""
        return list(_places(self.header, ()))

    def get(self, place: Place) -> Any:
        """Return the value at a place."""
        value = self.header
        for key in place:
            value = value[key]
        return value

    def set(self, place: Place, value: Any) -> None:
        """Put a value at a place."""
        self.get(place[:-1])[place[-1]] = value

    def remove(self, place: Place) -> None:
        """Remove the value at a place."""
        del self.get(place[:-1])[place[-1]]


def _places(value: Any, here: Place) -> Iterator[Place]:
    if here:
        yield here
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*here, key))
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _places(inner, (*here, number))
