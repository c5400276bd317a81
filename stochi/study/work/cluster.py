"""Cells of a study on a Dask cluster: its workers pull them, and this process keeps the results."""

import pickle
import secrets
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stochi.errors import InputError, StochiError, first_line
from stochi.study.work.cells import Cell, Done, Waiting, Work
from stochi.study.work.cluster_checks import ClusterError, check_scheduler, find_processor
from stochi.study.work.cluster_worker import do_on_worker
from stochi.study.work.crews import Crew
from stochi.study.work.versions import list_versions

if TYPE_CHECKING:
    from distributed import Client, Future

SECONDS_TO_CONNECT = 10
SECONDS_BETWEEN_LOOKS = 1.0
LARGEST = "100 GiB"
"""Size of a task from which Dask would warn; the samples travel in one, once."""


def on_cluster(
    address: str, progress: Callable[[str], None], work: Work, waiting: Waiting
) -> Generator[Done, None, None]:
    """Do cells on a cluster, as many at a time as its workers have threads.

    Dask gives the cells of a lost worker to others. Workers may join at any time.

    Args:
        address: of the scheduler.
        progress: called with a line of text when workers join or are lost.
        work: does a task.
        waiting: the cells.

    Raises:
        InputError: no scheduler answers, or Dask is not installed.
        ClusterError: the scheduler is gone, a worker has other versions, or a cell's workers were
            lost again and again.
    """
    with _connected(address) as client:
        try:
            yield from _Run(client, address, progress, work).carry(waiting)
        except (OSError, CancelledError) as error:
            if isinstance(error, StochiError):
                raise
            raise ClusterError(
                f"{address}: the scheduler is gone, or its cells were cancelled; what was found is"
                " kept, and the same command continues there"
            ) from error


@contextmanager
def _connected(address: str) -> Iterator["Client"]:
    """Connect with a scheduler; at the end, it drops all that this client asked for."""
    try:
        import dask
        from distributed import Client
    except ImportError:
        raise InputError(
            f"{address}: a Dask cluster needs the library distributed; pip install 'stochi[dask]'"
        ) from None
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": LARGEST}):
        try:
            client = Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(
                f"{address}: no scheduler answers ({first_line(error)}); start one with 'dask"
                " scheduler', or correct the address"
            ) from error
        try:
            yield client
        finally:
            client.close(timeout=SECONDS_BETWEEN_LOOKS)


class _Run:
    """The cells of one study that are on a cluster, and where they are."""

    def __init__(
        self, client: "Client", address: str, progress: Callable[[str], None], work: Work
    ) -> None:
        self.client, self.address, self.progress = client, address, progress
        self.name = f"stochi-{secrets.token_hex(4)}"
        check_scheduler(client, address)
        self.versions = list_versions()
        self.content = pickle.dumps(work)
        self.crew: Future | None = None
        self.busy: dict[Future, Cell] = {}
        self.places: dict[str, str] = {}
        self.begun: Counter[str] = Counter()
        self.again = 0
        self.processors: set[str] = set()
        self.workers: dict[str, int] | None = None
        client.subscribe_topic(self.name, self._note)

    def carry(self, waiting: Waiting) -> Generator[Done, None, None]:
        """Do cells until none is ready and none is in work."""
        number = 0
        while True:
            self._look_at_workers()
            while (worker := self._free_worker()) is not None:
                task = waiting.take()
                if task is None:
                    break
                number += 1
                self._submit(f"{self.name}-cell-{number}", worker, task.cell, pickle.dumps(task))
            if not self.busy and (worker is not None or not waiting.cells):
                break
            for future in self._finished():
                cell = self.busy.pop(future)
                files, by = self._result(future, cell)
                future.release()  # Dask would make the result again if its worker were lost
                yield Done(cell, files, by)
        twice = max(0, self.begun.total() - len(self.begun) - self.again)
        self.progress(f"{number} cells: {self.again} done again after a loss, {twice} without one")

    def _submit(self, key: str, worker: str, cell: Cell, task: bytes) -> None:
        if self.crew is None:  # by now, a worker has been looked at
            # Not scattered: if all workers that have it are lost, the scheduler makes a task again.
            name = f"{self.name}-samples"
            self.crew = self.client.submit(Crew, self.content, key=name, pure=False)
        future = self.client.submit(
            do_on_worker,
            self.crew,
            task,
            self.versions,
            self.name,
            key=key,
            pure=False,
            workers=[worker],
            allow_other_workers=True,  # if that one is lost
        )
        self.busy[future], self.places[key] = cell, worker

    def _free_worker(self) -> str | None:
        """Return the worker with the most free threads, None if there is no free thread."""
        workers = self.workers or {}
        if len(self.busy) >= sum(workers.values()):
            return None
        taken = Counter(self.places[future.key] for future in self.busy)
        return max(workers, key=lambda worker: workers[worker] - taken[worker])

    def _finished(self) -> list["Future"]:
        """Wait a moment for cells, and return those that are done."""
        from distributed import wait

        if not self.busy:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            return []
        try:
            with self.client.as_current():
                done = wait(
                    list(self.busy), SECONDS_BETWEEN_LOOKS, return_when="FIRST_COMPLETED"
                ).done
        except TimeoutError:
            return []
        return [future for future in self.busy if future in done]

    def _result(self, future: "Future", cell: Cell) -> Any:
        from distributed import KilledWorker

        try:
            return future.result()
        except KilledWorker as error:
            raise ClusterError(
                f"{cell.title}: each worker that did it was lost; it may have run out of memory:"
                " give workers more, or run fewer on a machine"
            ) from error

    def _look_at_workers(self) -> None:
        """Tell which workers joined or were lost."""
        now, before = dict(self.client.nthreads()), self.workers or {}
        for worker in sorted(now.keys() - before.keys()):
            self.progress(f"worker {worker} has joined; threads: {now[worker]}")
            self._note_processor(find_processor(self.client, worker))
        for worker in sorted(before.keys() - now.keys()):
            at = [cell.title for future, cell in self.busy.items() if self._is_at(future, worker)]
            self.again += len(at)
            again = f", and with it, to be done again: {'; '.join(at)}" if at else ""
            self.progress(f"worker {worker} is lost{again}")
        if not now and (before or self.workers is None):
            self.progress(f"no workers; waiting for some (dask worker {self.address})")
        self.workers = now

    def _note_processor(self, processor: str | None) -> None:
        """Tell if the workers' processors differ."""
        if processor is None or processor in self.processors:
            return
        self.processors.add(processor)
        if len(self.processors) > 1:
            self.progress(
                f"processors differ ({', '.join(sorted(self.processors))}): where they round sums"
                " otherwise, answers differ from those of a single machine"
            )

    def _is_at(self, future: "Future", worker: str) -> bool:
        return bool(self.places[future.key] == worker) and not future.done()

    def _note(self, event: tuple[float, dict[str, str]]) -> None:
        """Note that a worker has begun a cell; called in a thread of Dask's."""
        key, worker = event[1]["cell"], event[1]["worker"]
        self.places[key] = worker
        self.begun[key] += 1
