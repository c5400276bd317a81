"""Memory and time of a training step whose batch is taken in parts. Linux only.

.venv/bin/python -m benchmarks.training_memory
"""

import subprocess
import sys
import threading
import time
from pathlib import Path

import torch

from stochi.commands.console import Output
from stochi.data import Images
from stochi.train import TrainingConfig, train_classifier
from stochi.train.networks import small_conv_net

BATCH, SHAPE, CHANNELS = 64, (3, 32, 32), (32, 64)
PARTS = (None, 32, 16, 8)
EVERY = 0.002
"""Seconds between two measurements."""


def measure(micro_batch: int | None) -> tuple[float, float]:
    """Return the peak in MB above the start, and the seconds of a step, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.training_memory", str(micro_batch or BATCH)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    peak, seconds = map(float, done.stdout.split())
    return peak, seconds


def held() -> float:
    """Return the memory of this process without mapped files, in MB."""
    text = Path("/proc/self/status").read_text()
    return int(next(line for line in text.splitlines() if "RssAnon" in line).split()[1]) / 1024


def measure_here(micro_batch: int) -> None:
    """Train for two steps, and print the peak and the seconds of the second step."""
    config = TrainingConfig(
        epochs=1, batch_size=BATCH, validation_share=129, micro_batch=micro_batch
    )
    images = Images(torch.rand(2 * BATCH + 1, *SHAPE), torch.arange(2 * BATCH + 1) % 10)
    before, seen, ends, over = held(), [0.0], [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(EVERY):
            seen.append(held())

    watcher = threading.Thread(target=watch)
    watcher.start()
    train_classifier(
        lambda: small_conv_net(SHAPE, channels=CHANNELS),
        images,
        config,
        batch_progress=lambda done, total: ends.append(time.perf_counter()),
    )
    over.set()
    watcher.join()
    print(max(seen) - before, ends[2] - ends[1])


def main() -> None:
    """Print the table."""
    if sys.argv[1:]:
        measure_here(int(sys.argv[1]))
        return
    output = Output(as_json=False)
    rows = [["parts of", "peak, MB", "s a step"]]
    for micro_batch in PARTS:
        peak, seconds = measure(micro_batch)
        rows.append([str(micro_batch or BATCH), f"{peak:.0f}", f"{seconds:.2f}"])
    output.table(
        rows,
        f"A step of {BATCH} images {SHAPE}, {CHANNELS} channels, T = 8,"
        f" {torch.get_num_threads()} threads",
    )


if __name__ == "__main__":
    main()
