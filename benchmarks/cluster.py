"""A study on a Dask cluster, one of whose workers is killed, beside that of a single process.

    python -m benchmarks.cluster

It starts a scheduler and three workers, gives them a small study, kills a worker with SIGKILL in
the middle of a cell, conducts the same study in one process, and compares all files.
"""

import argparse
import re
import signal
import sys
import tempfile
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path

from benchmarks.support.machines import Machines, machines
from stochi.study import AutoAttackPlan, EnsemblePlan, PGDPlan, SquarePlan, conduct, plan_for
from stochi.study.plan import StudyPlan


def make_plan() -> StudyPlan:
    """Return the plan of three networks, each under all attacks of the study, with few steps."""
    quick = plan_for("digits", quick=True)
    return replace(
        quick,
        images=8,
        trials=2,
        calibration_images=4,
        defences=("none",),
        baselines=(),
        training=replace(quick.training, images=200, epochs=2),
        pgd=PGDPlan(iterations=4, draws=2),
        square=SquarePlan(images=4, iterations=4),
        auto_attack=AutoAttackPlan(iterations=4),
        ensemble=EnsemblePlan(iterations=4),
        curves=replace(quick.curves, defences=(), sigmas=()),
    )


def kill_a_worker(cluster: Machines) -> None:
    """Kill a worker that has a cell."""
    from distributed import Client

    with Client(cluster.address, set_as_default=False) as client:
        busy: list[str] = []
        while not busy:
            busy = [worker for worker, cells in client.processing().items() if cells]
    time.sleep(1)
    process = cluster.processes[cluster.worker_at(busy[0])]
    print(f"          kill -{signal.SIGKILL:d} {process.pid}  # the worker {busy[0]}", flush=True)
    cluster.kill(cluster.worker_at(busy[0]))


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder, by name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def main() -> None:
    """Conduct both studies and compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--kill-after", type=int, default=4, help="number of cells")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder, begun = Path(name), time.monotonic()
        (folder / "machines").mkdir()
        with machines(folder / "machines", options.workers) as cluster:

            def report(line: str) -> None:
                print(f"{time.monotonic() - begun:6.1f} s  {line}", flush=True)
                if re.match(rf"{options.kill_after} of \d+ cells", line):
                    threading.Thread(target=kill_a_worker, args=[cluster], daemon=True).start()

            print(f'conduct(plan, "cluster", backend="{cluster.address}")', flush=True)
            conduct(make_plan(), folder / "cluster", backend=cluster.address, progress=report)
        print('conduct(plan, "alone")', flush=True)
        conduct(make_plan(), folder / "alone")
        found, expected = read_files(folder / "cluster"), read_files(folder / "alone")
        other = [name for name in {*found, *expected} if found.get(name) != expected.get(name)]
        print(f"{len(expected) - len(other)} files equal, {len(other)} not", *sorted(other))
    sys.exit(bool(other))


if __name__ == "__main__":
    main()
