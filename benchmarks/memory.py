"""Peak memory of a run of the engine, measured in a process of its own. Linux only."""

import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import torch

from benchmarks.networks import SHAPES, build
from stochi.sim import run

EVERY = 0.002
"""Seconds between two measurements."""


def peak_megabytes(network: str, batch: int, probes: str) -> float:
    """Measure the peak of a run, less what the process holds before it.

    Args:
        probes: "none", "held" (spikes and membranes in memory) or "on disk".
    """
    command = [sys.executable, "-m", "benchmarks.memory", network, str(batch), probes]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _held() -> float:
    """Memory of the process without mapped files, whose pages can be dropped, in MB."""
    text = Path("/proc/self/status").read_text()
    return int(next(x for x in text.splitlines() if "RssAnon" in x).split()[1]) / 1024


def main() -> None:
    """Print the megabytes."""
    network, batch, probes = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    program = build(network, "decay")
    images = torch.rand(batch, *SHAPES[network])
    run(program, images[:2])
    before, seen, done = _held(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(EVERY):
            seen.append(_held())

    watcher = threading.Thread(target=watch)
    watcher.start()
    with tempfile.TemporaryDirectory() as folder:
        record = run(
            program,
            images,
            probes=() if probes == "none" else ("spikes", "membrane"),
            probe_folder=folder if probes == "on disk" else None,
        )
        seen.append(_held())
    done.set()
    watcher.join()
    del record
    print(max(seen) - before)


if __name__ == "__main__":
    main()
