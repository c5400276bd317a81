"""How much memory a run of the engine takes, measured in a process of its own."""

import resource
import subprocess
import sys
import tempfile

import torch

from benchmarks.networks import SHAPES, build
from stochi.sim import run


def peak_megabytes(network: str, batch: int, probes: str) -> float:
    """The peak of a run, less what the process holds before it.

    Args:
        probes: "none", "held" (spikes and membranes in memory) or "on disk".
    """
    command = [sys.executable, "-m", "benchmarks.memory", network, str(batch), probes]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the megabytes."""
    network, batch, probes = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    program = build(network, "decay")
    images = torch.rand(batch, *SHAPES[network])
    run(program, images[:2])
    before = _peak()
    with tempfile.TemporaryDirectory() as folder:
        run(
            program,
            images,
            probes=() if probes == "none" else ("spikes", "membrane"),
            probe_folder=folder if probes == "on disk" else None,
        )
        print(_peak() - before)


if __name__ == "__main__":
    main()
