"""Cells that do next to nothing, in the place of those of a study."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from stochi.errors import InputError
from stochi.study.store import Store
from stochi.study.work.cells import Carry, Cell
from stochi.study.work.spreading import spread

SAMPLES = (3, 4)


def write(number: int, seconds: float, needed: bool, store: Store, first: int, second: int) -> None:
    """Keep an answer that depends on the samples and, if it says so, on another answer."""
    time.sleep(seconds)
    before = store.get({"number": 0}) if needed else {"product": 0}
    assert before is not None
    store.put({"number": number}, {"product": before["product"] + number * first * second})


def fail(store: Store, first: int, second: int) -> None:
    """Fail as a study's work does."""
    raise InputError("the 3rd network is missing")


def make_cells(folder: Path, count: int, seconds: float) -> list[Cell]:
    """Return cells of which all need what the first one makes."""
    first = Store(folder).path({"number": 0}, "json").name
    needs = [frozenset[str](), *[frozenset([first])] * (count - 1)]
    return [
        Cell(f"part {number}", partial(write, number, seconds, bool(number)), 1.0, needs[number])
        for number in range(count)
    ]


def spread_cells(
    folder: Path,
    cells: list[Cell],
    carry: Carry,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, bytes]:
    """Have cells done, and return the files of the folder."""
    spread(cells, Store(folder), SAMPLES, carry, progress)
    return read_files(folder)


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the content of all files of a folder, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def expected(folder: Path, count: int) -> dict[str, bytes]:
    """Return the files that this process makes of the same cells."""
    samples: Any = SAMPLES
    for number in range(count):
        write(number, 0, bool(number), Store(folder), *samples)
    return read_files(folder)
