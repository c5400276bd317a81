"""A study on a Dask cluster, one of whose workers is killed, beside that of a single process.

    python -m benchmarks.cluster

It starts a scheduler and three workers, runs ``stochi study --scheduler``, kills a worker with
SIGKILL in the middle of a cell, runs the same study in one process, and compares all files.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.support.machines import ROOT, Machines, machines

STUDY = "study --quick --images 5 --training-images 200 --epochs 1"


def run(words: str, folder: Path, report: Callable[[str], None]) -> float:
    """Run ``stochi`` in a folder, report its lines of progress, and return the seconds it took."""
    print(f"$ stochi {words}", flush=True)
    begun = time.monotonic()
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "stochi", *words.split()],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stderr is not None
        for line in command.stderr:
            report(line.rstrip())
    if command.returncode:
        sys.exit(f"status {command.returncode}")
    return time.monotonic() - begun


def kill_a_worker(cluster: Machines) -> None:
    """Kill a worker that has a cell."""
    from distributed import Client

    with Client(cluster.address, set_as_default=False) as client:
        busy: list[str] = []
        while not busy:
            busy = [worker for worker, cells in client.processing().items() if cells]
    time.sleep(1)
    process = cluster.processes[cluster.worker_at(busy[0])]
    print(f"  $ kill -{signal.SIGKILL:d} {process.pid}  # the worker {busy[0]}", flush=True)
    cluster.kill(cluster.worker_at(busy[0]))


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder, by name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def main() -> None:
    """Run both studies and compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", default=STUDY, help="words after 'stochi'")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--kill-after", type=int, default=15, help="number of cells")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "machines").mkdir()
        with machines(folder / "machines", options.workers) as cluster:

            def report(line: str) -> None:
                print(f"  {line}", flush=True)
                if line.startswith(f"{options.kill_after} of "):
                    threading.Thread(target=kill_a_worker, args=[cluster], daemon=True).start()

            words = f"{options.study} --scheduler {cluster.address} --out cluster"
            seconds = run(words, folder, report)
        print(f"{seconds:.0f} s with {options.workers} workers, one of them killed")
        alone = run(f"{options.study} --processes 1 --out alone", folder, lambda line: None)
        print(f"{alone:.0f} s with a single process")
        found, expected = read_files(folder / "cluster"), read_files(folder / "alone")
        other = [name for name in {*found, *expected} if found.get(name) != expected.get(name)]
        print(f"{len(expected) - len(other)} files equal, {len(other)} not", *sorted(other))
    sys.exit(bool(other))


if __name__ == "__main__":
    main()
