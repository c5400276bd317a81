"""Reading of N-MNIST: this package's reader beside tonic's, over the same files, in turns.

``python -m benchmarks.read_events --data-dir FOLDER`` needs tonic (``pip install
'stochi[events]'``). Both readers turn every file's bytes into columns x, y, polarity and time; only
this package's checks them. Then come frames of ten steps: tonic's ToFrame, which counts events,
beside a binning, which clips them, and beside frames that are kept in a cache.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.timing import in_turns
from stochi.data import Binning, EventSet, open_events
from stochi.data.events.frame_cache import FrameCache
from stochi.data.events.nmnist import CLASSES, SHAPE, read_nmnist
from stochi.data.events.source import RecordingFiles

Actions = dict[str, Callable[[], object]]


def reading(files: list[Path]) -> Actions:
    """Return what reads all files, by who does it."""
    from tonic.datasets import NMNIST
    from tonic.io import read_mnist_file

    def theirs() -> int:
        return sum(len(read_mnist_file(str(file), dtype=NMNIST.dtype)) for file in files)

    def ours() -> int:
        return sum(len(read_nmnist(file)) for file in files)

    assert theirs() == ours(), "the readers find different numbers of events"
    return {"tonic": theirs, "stochi": ours}


def framing(files: list[Path], folder: str) -> Actions:
    """Return what reads all files and makes frames, by who does it."""
    from tonic.datasets import NMNIST
    from tonic.io import read_mnist_file
    from tonic.transforms import ToFrame

    to_frame = ToFrame(sensor_size=NMNIST.sensor_size, n_time_bins=10)

    def theirs() -> None:
        for file in files:
            to_frame(read_mnist_file(str(file), dtype=NMNIST.dtype))

    def ours(cache: FrameCache | None) -> None:
        recordings = RecordingFiles(tuple(files), SHAPE, read_nmnist)
        events = EventSet(recordings, torch.zeros(len(files)).long(), CLASSES, Binning(10), cache)
        for number in range(len(events)):
            events.frames(number)

    kept = FrameCache(Path(folder))
    return {"tonic": theirs, "stochi": lambda: ours(None), "stochi, cached": lambda: ours(kept)}


def show(title: str, actions: Actions, rounds: int, count: int) -> None:
    """Print the time of each action, and its ratio to tonic's."""
    taken = in_turns(actions, rounds)
    for name, seconds in taken.items():
        print(
            f"{title:22s} {name:15s} {1000 * seconds / count:7.3f} ms a recording,"
            f" {taken['tonic'] / seconds:5.2f} times as fast as tonic"
        )


def main() -> None:
    """Print the times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", required=True, help="folder of N-MNIST")
    parser.add_argument("--recordings", type=int, default=1000, help="number of files")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each reader")
    asked = parser.parse_args()
    parts = open_events("nmnist", asked.data_dir)
    files = [p for part in parts for p in part.recordings.paths]  # type: ignore[attr-defined]
    files = files[: asked.recordings]
    print(f"{len(files):,} recordings of N-MNIST, of the 70,000 that are published")
    show("read", reading(files), asked.rounds, len(files))
    with tempfile.TemporaryDirectory() as folder:
        show("read, 10 time steps", framing(files, folder), asked.rounds, len(files))


if __name__ == "__main__":
    main()
