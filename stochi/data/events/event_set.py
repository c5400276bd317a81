"""Labelled recordings that stay where they are until they are needed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from stochi.arguments import check_fields
from stochi.data.events.binning import Binning, LostEvents
from stochi.data.events.frame_cache import FrameCache
from stochi.data.events.recording import Recording
from stochi.data.events.source import Rearranged, Recordings
from stochi.data.samples import as_rows
from stochi.data.streams import Streams
from stochi.errors import InputError, check_at_least_one

BATCH = 100
"""Recordings in a batch, if nobody asks for another number."""


@dataclass(frozen=True, eq=False)
class EventSet:
    """Labelled recordings of events, read when they are needed and binned into time steps.

    A set may be larger than memory: only the samples of the batch at hand are in it.

    Attributes:
        recordings: where the recordings come from.
        labels: (n,) int64 classes.
        classes: number of classes.
        binning: how a recording becomes frames.
        cache: where frames are kept, if they are.
        class_names: names of the classes in the order of their labels, if they have names.
    """

    recordings: Recordings
    labels: torch.Tensor
    classes: int
    binning: Binning = field(default_factory=Binning)
    cache: FrameCache | None = None
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least_one(classes=self.classes)
        if len(self.labels) > len(self.recordings):
            raise InputError(f"{len(self.labels)} labels for {len(self.recordings)} recordings")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(polarities, height, width) of an input at one time step."""
        return self.recordings.shape

    @property
    def time_steps(self) -> int:
        """Number of time steps of every input."""
        return self.binning.time_steps

    def recording(self, number: int) -> Recording:
        """Return a recording as it was taken, before binning."""
        return self.recordings.read(self._number(number))

    def frames(self, number: int) -> tuple[np.ndarray, LostEvents]:
        """Return a recording's frames, (time steps, *shape) bool, and the events they lack."""
        number = self._number(number)
        if self.cache is None:
            return self.binning.frames(self.recordings.read(number))
        key = f"{self.binning!r}\n{self.shape}\n{self.recordings.identity(number)}"
        kept = self.cache.get(key, (self.time_steps, *self.shape))
        if kept is None:
            kept = self.binning.frames(self.recordings.read(number))
            self.cache.put(key, *kept)
        return kept

    def select(self, rows: torch.Tensor | Sequence[int]) -> Streams:
        """Read the samples with these numbers, (count,) int64.

        Returns:
            Inputs (time steps, count, *shape) float32 of exactly 0 or 1, and labels.

        Raises:
            InputError: a number is out of range, or these are not numbers.
        """
        rows = as_rows(rows)
        inputs = np.empty((self.time_steps, len(rows), *self.shape), np.float32)
        for place, number in enumerate(rows.tolist()):
            inputs[:, place], _ = self.frames(number)
        return Streams(torch.from_numpy(inputs), self.labels[rows])

    def rearranged(self, rows: torch.Tensor) -> "EventSet":
        """Return the set of the recordings with these numbers, in their order."""
        recordings = Rearranged(self.recordings, tuple(rows.tolist()))
        return replace(self, recordings=recordings, labels=self.labels[rows])

    def first(self, count: int) -> "EventSet":
        """Return the set of the first ``count`` recordings.

        Raises:
            InputError: there are fewer, or ``count`` is below 1.
        """
        if not 1 <= count <= len(self):
            raise InputError(f"{count} recordings were asked for; ask for 1 to {len(self)}")
        return replace(self, labels=self.labels[:count])

    def up_to(self, count: int) -> "EventSet":
        """Return the set of the first ``count`` recordings, or of all if there are fewer."""
        return self.first(min(count, len(self)))

    def batches(self, count: int) -> Iterator[Streams]:
        """Yield all samples in order, ``count`` at a time; the last batch may be smaller."""
        if count < 1:
            raise InputError(f"batches of {count} were asked for; ask for at least 1")
        for rows in torch.arange(len(self)).split(int(count)):
            yield self.select(rows)

    def __iter__(self) -> Iterator[Streams]:
        yield from self.batches(BATCH)

    def load(self) -> Streams:
        """Read all samples into memory."""
        return self.select(torch.arange(len(self)))

    def lost(self) -> LostEvents:
        """Count the events that frames do not show, by reading every recording once."""
        return sum((self.frames(number)[1] for number in range(len(self))), LostEvents())

    def check_outputs(self, outputs: int) -> None:
        """Raise InputError if classes have names, and a network has another number of outputs."""
        if self.class_names and outputs != self.classes:
            raise InputError(
                f"the recordings have {self.classes} classes ({', '.join(self.class_names)}), and"
                f" the network has {outputs} outputs, so labels may mean other classes; open them"
                " with classes= the classes of the training part, which may lack recordings here"
            )

    def _number(self, number: int) -> int:
        if not 0 <= number < len(self):
            raise InputError(f"recording {number} was asked for; they are 0 to {len(self) - 1}")
        return number
