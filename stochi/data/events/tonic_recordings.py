"""Data sets of the library tonic as recordings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stochi.arguments import check_arguments
from stochi.data.events.binning import Binning
from stochi.data.events.event_set import EventSet
from stochi.data.events.recording import Recording, checked_recording
from stochi.data.events.source import file_identity
from stochi.errors import InputError, first_line
from stochi.files import check_plain_file


@dataclass(frozen=True)
class TonicRecordings:
    """Items of a data set of tonic.

    Attributes:
        data: the data set; ``data[i]`` is (events, label).
        rows: numbers of the items, in the order of the recordings.
        files: the file of each recording; empty if there is nothing to tell a change by.
        remedy: what to do about an item that cannot be read.
    """

    data: Any
    rows: tuple[int, ...]
    files: tuple[Path, ...] = ()
    remedy: str = "see that tonic can read it"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(polarities, height, width); speech has one polarity, height 1, and channels as width."""
        width, height, polarities = self.data.sensor_size
        return int(polarities), int(height), int(width)

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, number: int) -> Recording:
        """Return a recording, its events put in the order of their times if they were not."""
        if self.files:
            check_plain_file(self.files[number], self.remedy)
        try:
            events, _ = self.data[self.rows[number]]
            recording = _recording(events, self.shape)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # of tonic, h5py or numpy, or a panic of Rust
            reason = f"tonic cannot read it ({type(error).__name__}, {first_line(error)})"
            raise InputError(f"{self._name(number)}: {reason}; {self.remedy}") from error
        try:
            return checked_recording(recording)
        except InputError as error:
            raise InputError(f"{self._name(number)}: {error}; {self.remedy}") from error

    def identity(self, number: int) -> str:
        """Return the file's path, size and time of change, and the item's number."""
        return f"{file_identity(self.files[number])}:{self.rows[number]}"

    def _name(self, number: int) -> str:
        item = f"{type(self.data).__name__} item {self.rows[number]}"
        return f"{self.files[number]}: {item}" if self.files else item


def from_tonic(dataset: Any, classes: int, *, binning: Binning | None = None) -> EventSet:
    """Return a data set of tonic as an event set; its recordings are read when they are needed.

    Args:
        dataset: a data set of tonic without transforms into frames; ``dataset[i]`` is a structured
            array of events with the fields x, t and p, and y unless it is of speech, and a label.
            Labels are ``dataset.targets``, if it has them; otherwise every item is read once.
        classes: number of classes; labels must range from 0 to classes − 1.
        binning: how recordings become frames; ten steps of equal time by default.

    Raises:
        InputError: this is not such a data set, or a label is out of range.
    """
    check_arguments(from_tonic, locals(), besides=("dataset",))
    if len(getattr(dataset, "sensor_size", ()) or ()) != 3 or not hasattr(dataset, "__getitem__"):
        raise InputError(
            f"a data set of tonic with a sensor_size (width, height, polarities) is needed, this is"
            f" a {type(dataset).__name__}"
        )
    recordings = TonicRecordings(dataset, tuple(range(len(dataset))))
    targets = getattr(dataset, "targets", ())
    if len(targets) != len(dataset):
        targets = [dataset[number][1] for number in recordings.rows]
    labels = checked_labels(targets, classes, type(dataset).__name__)
    return EventSet(recordings, labels, classes, binning or Binning())


def checked_labels(targets: Any, classes: int, where: str) -> torch.Tensor:
    """Return labels, (n,) int64.

    Raises:
        InputError: one is not a whole number from 0 to ``classes`` − 1.
    """
    found = np.asarray(targets)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise InputError(f"{where}: labels must be whole numbers, one a recording")
    wrong = (found < 0) | (found >= classes)
    if wrong.any():
        at = int(wrong.argmax())
        raise InputError(
            f"{where}: recording {at} has label {found[at]}; it must be from 0 to {classes - 1}"
        )
    return torch.from_numpy(found.astype(np.int64))


def _recording(events: np.ndarray, shape: tuple[int, int, int]) -> Recording:
    """Return tonic's events, by time."""
    polarities, height, width = shape
    time = events["t"].astype(np.int64)
    order = np.argsort(time, kind="stable")
    x = events["x"].astype(np.int64)
    y = events["y"].astype(np.int64) if "y" in (events.dtype.names or ()) else np.zeros_like(x)
    polarity = events["p"].astype(np.int64) if polarities > 1 else np.zeros_like(x)
    x, y, polarity, time = (values[order] for values in (x, y, polarity, time))
    return Recording(x, y, polarity, time, height, width, polarities)
