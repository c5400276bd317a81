"""A Dask cluster of real processes on this machine, of which some can be killed."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60
"""Longest wait for a line of a log."""
SCHEDULER = [
    "-m",
    "distributed.cli.dask_scheduler",
    "--host",
    "127.0.0.1",
    "--port",
    "0",
    "--no-dashboard",
]
WORKER = ["-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny"]


@dataclass
class Machines:
    """A scheduler and workers, each a process with a log and a folder of temporary files.

    Attributes:
        folder: folder of these.
        address: of the scheduler.
        processes: the processes by their names.
    """

    folder: Path
    address: str = ""
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, name: str, words: list[str]) -> None:
        """Start a process."""
        place = self.folder / name
        place.mkdir()
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        with (place / "log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *words],
                env={**os.environ, "TMPDIR": str(place), "PYTHONPATH": path},
                cwd=place,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start_worker(self, name: str) -> None:
        """Start a worker with one thread."""
        self.start(name, [*WORKER, "--local-directory", ".", self.address])

    def log(self, name: str) -> str:
        """Return the log of a process."""
        return (self.folder / name / "log").read_text()

    def wait_for(self, name: str, text: str) -> str:
        """Return the first line of a log that has a text, once there is one."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            for line in self.log(name).splitlines():
                if text in line:
                    return line
            time.sleep(0.1)
        raise AssertionError(f"no {text!r} in the log of {name}: {self.log(name)[-2000:]}")

    def kill(self, name: str) -> None:
        """Kill a process, as the system does when memory runs out."""
        self.processes[name].kill()
        self.processes[name].wait()

    def worker_at(self, address: str) -> str:
        """Return the name of the worker with an address."""
        return next(n for n in self.processes if n != "scheduler" and address in self.log(n))


@contextmanager
def machines(folder: Path, workers: int) -> Iterator[Machines]:
    """Start a scheduler and workers, and kill them at the end."""
    cluster = Machines(folder)
    try:
        cluster.start("scheduler", SCHEDULER)
        line = cluster.wait_for("scheduler", "Scheduler at:")
        cluster.address = line.split()[-1]
        for number in range(workers):
            cluster.start_worker(f"worker{number}")
        for number in range(workers):
            cluster.wait_for(f"worker{number}", "Registered to:")
        yield cluster
    finally:
        for process in cluster.processes.values():
            process.kill()
            process.wait()
