"""How a running Lava network is told what to do next: a folder for each job.

Lava's runtime starts once and then takes many batches. Its processes count time steps; when a job's
steps are over, each opens the next job's folder. Frames, probes and results are files that are
mapped into memory, so nothing large passes through Lava's channels but spikes.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Job:
    """One batch.

    Attributes:
        samples: how many; seed, trial, first_sample: their draws.
        probes: "spikes" and "membrane" → layer → the .npy file to write into.
    """

    samples: int
    seed: int
    trial: int
    first_sample: int
    probes: dict[str, dict[str, str]]

    def write(self, folder: Path, number: int, frames: np.ndarray, classes: int) -> Path:
        """Make the job's folder. ``frames``: (1 or steps, samples, n) uint8."""
        path = folder / f"job-{number}"
        path.mkdir()
        np.save(path / "frames.npy", frames)
        np.save(path / "read.npy", np.zeros((self.samples, classes), np.int64))
        (path / "job.json").write_text(json.dumps(asdict(self)))
        return path

    @staticmethod
    def read(path: Path) -> "Job":
        """The job of a folder."""
        return Job(**json.loads((path / "job.json").read_text()))


@dataclass
class Clock:
    """Where a process stands: Lava's time steps are the steps of groups of samples of jobs."""

    folder: Path
    steps: int
    side_by_side: int
    number: int = -1
    group: int = 0
    step: int = -1
    job: Job | None = None

    def tick(self) -> bool:
        """Advance by a time step; whether a new job begins with it."""
        self.step += 1
        if self.step == self.steps:
            self.step, self.group = 0, self.group + 1
        if self.job is not None and self.group * self.side_by_side < self.job.samples:
            return False
        self.number, self.group, self.step = self.number + 1, 0, 0
        self.job = Job.read(self.path)
        return True

    @property
    def path(self) -> Path:
        """The present job's folder."""
        return self.folder / f"job-{self.number}"

    @property
    def rows(self) -> slice:
        """The present group's samples."""
        assert self.job is not None
        first = self.group * self.side_by_side
        return slice(first, min(first + self.side_by_side, self.job.samples))
