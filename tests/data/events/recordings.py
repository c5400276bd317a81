"""Small recordings, in memory and in the published formats, written by hand."""

from pathlib import Path

import numpy as np

from stochi.data.events.recording import Recording


def random_recording(
    seed: int, count: int = 200, height: int = 34, width: int = 34, longest: int = 300_000
) -> Recording:
    random = np.random.default_rng(seed)
    return Recording(
        random.integers(0, width, count),
        random.integers(0, height, count),
        random.integers(0, 2, count),
        np.sort(random.integers(0, longest, count)),
        height,
        width,
    )


def five_bytes(recording: Recording) -> bytes:
    """Return the published format, one event after another."""
    content = b""
    for x, y, polarity, time in zip(
        recording.x, recording.y, recording.polarity, recording.time, strict=True
    ):
        word = int(polarity) << 23 | int(time)
        content += bytes((int(x), int(y))) + word.to_bytes(3, "big")
    return content


def write_nmnist(folder: Path, training: int = 12, test: int = 5) -> dict[str, Recording]:
    """Write a small N-MNIST whose labels are the numbers modulo 10; return files by their paths."""
    written = {}
    for part, count in (("Train", training), ("Test", test)):
        for number in range(1, count + 1):
            name = f"{part}/{number % 10}/{number:05d}.bin"
            written[name] = random_recording(number + (1000 if part == "Test" else 0))
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(five_bytes(written[name]))
    return written


def same(left: Recording, right: Recording) -> bool:
    return (left.height, left.width, left.polarities) == (
        right.height,
        right.width,
        right.polarities,
    ) and all(
        np.array_equal(getattr(left, part), getattr(right, part))
        for part in ("x", "y", "polarity", "time")
    )
