"""Jobs of a running Lava network, each in a folder of its own.

Lava's runtime starts once and then takes many batches. Its processes count time steps. After the
last time step of a job, each process opens the next job's folder. Frames, probes and results are
files that are mapped into memory, so that Lava's channels carry only spikes.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from stochi.files import write_whole
from stochi.hardware.draws import Draws
from stochi.sim.mapped import create_mapped


@dataclass(frozen=True)
class Job:
    """One batch.

    Attributes:
        samples: number of samples.
        draws: draws of the batch.
        probes: "spikes" or "membrane" → layer's name → the .npy file to write into.
    """

    samples: int
    draws: Draws
    probes: dict[str, dict[str, str]]

    def write(self, folder: Path, number: int, frames: np.ndarray, classes: int) -> Path:
        """Make the job's folder.

        Args:
            folder: folder of the session.
            number: number of the job in the session.
            frames: (1 or time steps, samples, n) uint8.
            classes: number of outputs that are read.

        Raises:
            WriteError: there is not enough space.
        """
        path = folder / f"job-{number}"
        path.mkdir()
        create_mapped(path / "frames.npy", frames.dtype, frames.shape)[:] = frames
        create_mapped(path / "read.npy", np.int64, (self.samples, classes))
        write_whole(path / "job.json", json.dumps(asdict(self)))
        return path

    @staticmethod
    def read(path: Path) -> "Job":
        """Read the job in a folder."""
        values = json.loads((path / "job.json").read_text())
        return Job(**{**values, "draws": Draws(**values["draws"])})


@dataclass
class Clock:
    """Position of a process in its jobs, which it advances with Lava's time steps.

    Attributes:
        folder: folder of the session.
        steps: time steps of a sample.
        side_by_side: number of samples in a group; these run side by side.
        number: number of the current job.
        group: number of the current group in the job.
        step: time step of the group's samples.
        job: the current job.
    """

    folder: Path
    steps: int
    side_by_side: int
    number: int = -1
    group: int = 0
    step: int = -1
    job: Job | None = None

    def tick(self) -> bool:
        """Advance by a time step; return whether a new job begins with it."""
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
        """Folder of the current job."""
        return self.folder / f"job-{self.number}"

    @property
    def rows(self) -> slice:
        """Rows of the current group's samples."""
        assert self.job is not None
        first = self.group * self.side_by_side
        return slice(first, min(first + self.side_by_side, self.job.samples))
