"""Cells: parts of a study that are done whole, anywhere, from the data and a few files."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from stochi.files import is_plain_file
from stochi.sim.engine.threads import one_torch_thread
from stochi.study.store import Store
from stochi.temporary import temporary_folder

Group = TypeVar("Group")
CELLS = 200
"""Number of cells that the answers of a study are divided into, at most, beside one a network."""
LEAST = 1000.0
"""Smallest cost of a cell, in gradients of a sample; each lowers and calibrates its network."""


@dataclass(frozen=True)
class Cell:
    """A part of a study that is done whole, by one worker.

    Attributes:
        title: what it is, for a line of progress.
        work: does it with training and test samples, and keeps what it finds in a store.
        cost: what it costs, in any unit.
        needs: names of the study's files that it reads.
    """

    title: str
    work: Callable[[Store, Any, Any], object]
    cost: float
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Task:
    """A cell with all that it needs.

    Attributes:
        cell: the cell.
        files: content of the files that it reads, by name.
    """

    cell: Cell
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class Done:
    """A cell that is done.

    Attributes:
        cell: the cell.
        files: content of the files that it made, by name.
        by: name of the worker that did it; "" if there is none.
    """

    cell: Cell
    files: Mapping[str, bytes]
    by: str = ""


Work = Callable[[Task], Mapping[str, bytes]]
"""Does a task, and returns the content of the files that it made, by name."""


@dataclass
class Waiting:
    """Cells that are still to be done, each given out once.

    A cell is ready when the study's folder holds all that it needs, which other cells may make.
    Threads may take cells at the same time.

    Attributes:
        cells: the cells; what others may wait for comes first, then the costliest.
        folder: the study's folder.
    """

    cells: list[Cell]
    folder: Path
    lock: Lock = field(default_factory=Lock)
    there: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.cells = sorted(self.cells, key=lambda cell: (bool(cell.needs), -cell.cost))

    def take(self) -> Task | None:
        """Return the first cell that is ready, with its files; None if none is."""
        with self.lock:
            for place, cell in enumerate(self.cells):
                if all(map(self._is_there, cell.needs)):
                    files = {name: (self.folder / name).read_bytes() for name in cell.needs}
                    del self.cells[place]
                    return Task(cell, files)
        return None

    def missing(self) -> list[str]:
        """Return the names of the files that the remaining cells wait for."""
        names = {name for cell in self.cells for name in cell.needs}
        return sorted(name for name in names if not self._is_there(name))

    def _is_there(self, name: str) -> bool:
        if name not in self.there and is_plain_file(self.folder / name):
            self.there.add(name)
        return name in self.there


Carry = Callable[[Work, Waiting], Generator[Done, None, None]]
"""Takes cells and does them somewhere, until none is ready and none is in work.

It yields each as soon as it is done, and goes on when its files lie in the study's folder.
"""


def do_task(task: Task, training: Any, test: Any) -> dict[str, bytes]:
    """Do a task in a temporary folder, with one thread, and return the files that it made.

    Args:
        training, test: the study's samples.
    """
    with temporary_folder() as folder, one_torch_thread():
        for name, content in task.files.items():
            (folder / name).write_bytes(content)
        task.cell.work(Store(folder), training, test)
        found = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    return {name: content for name, content in found.items() if task.files.get(name) != content}


def least_cost(total: float) -> float:
    """Return what a cell costs at least, if there is as much to ask about its network.

    Args:
        total: cost of all answers of the study.
    """
    return max(total / CELLS, LEAST)


def in_chunks(
    groups: Iterable[Sequence[Group]], cost: Callable[[Sequence[Group]], float], least: float
) -> Iterator[list[Group]]:
    """Yield the groups, joined one after the other until each costs at least so much.

    Args:
        groups: what must not be divided.
        cost: what something costs.
        least: smallest cost of all that is yielded but the last.
    """
    joined: list[Group] = []
    for group in groups:
        joined += group
        if cost(joined) >= least:
            yield joined
            joined = []
    if joined:
        yield joined
