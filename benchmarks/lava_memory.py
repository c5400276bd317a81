"""Memory that many Lava runs in one Python process leave behind. Linux only.

.venv/bin/python -m benchmarks.lava_memory 1000
"""

import gc
import os
import sys
from pathlib import Path

import torch

from benchmarks.networks import dense
from stochi.commands.console import Output
from stochi.sim import run

REPORTS = 10


def main() -> None:
    """Start, run and end Lava repeatedly, and print the memory after each run."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    output = Output(as_json=False)
    program = dense([16, 12, 3], 4)
    images = torch.rand(2, 16)
    rows = [["runs", "resident, MB", "open files", "objects"]]
    for number in range(runs + 1):
        if number % max(1, runs // REPORTS) == 0:
            gc.collect()
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            megabytes = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
            files = len(os.listdir("/proc/self/fd"))
            rows.append([str(number), f"{megabytes:.1f}", str(files), f"{len(gc.get_objects()):,}"])
            output.progress(f"{number} runs")
        run(program, images, backend="lava")
    output.table(rows, "Lava started, run and ended in one Python process")


if __name__ == "__main__":
    main()
