"""Event sets that the library tonic reads, by name: gestures, CIFAR-10 on a screen, speech."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stochi.data.events.binning import Binning
from stochi.data.events.event_set import EventSet
from stochi.data.events.frame_cache import FrameCache
from stochi.data.events.numbered_names import by_numbers
from stochi.data.events.tonic_recordings import TonicRecordings, checked_labels
from stochi.data.published import Published
from stochi.errors import InputError, first_line
from stochi.files import check_plain_file
from stochi.hdf5.contents import Form, check_objects

TEST_SHARE = 10
"""If a set is published in one part, the last tenth of every class is the test part."""


@dataclass(frozen=True)
class TonicSet:
    """A data set that tonic reads from a folder of its own.

    Attributes:
        published: its title, its files in words, and its address.
        reader: name of tonic's class, and of the folder in which tonic keeps the set.
        shape: (polarities, height, width).
        classes: number of classes.
        parts: options of tonic's class that choose the training part and the test part; a single
            entry if the set is published in one part.
    """

    published: Published
    reader: str
    shape: tuple[int, int, int]
    classes: int
    parts: tuple[dict[str, Any], ...]

    def open(
        self, data_dir: str | Path | None, binning: Binning, cache: FrameCache | None = None
    ) -> tuple[EventSet, EventSet]:
        """Return the training part and the test part; nothing is downloaded.

        Args:
            data_dir: the folder that holds tonic's folder of the set.
            binning: how recordings become frames.
            cache: where frames are kept, if they are.

        Raises:
            InputError: tonic or the set is missing, or its list of recordings is damaged.
        """
        folder = self.published.existing_folder(data_dir)
        self._check_files(folder / self.reader)
        found = [self._part(folder, options) for options in self.parts]
        if len(found) == 1:
            found = _split(*found[0])
        training, test = (
            EventSet(recordings, labels, self.classes, binning, cache)
            for recordings, labels in found
        )
        return training, test

    def _part(self, folder: Path, options: dict[str, Any]) -> tuple[TonicRecordings, torch.Tensor]:
        """Return recordings, in the order of their files' names, and labels."""
        place = folder / self.reader
        data = self._without_download(folder, options)
        if data.data:
            files = [Path(file) for file in data.data]
            rows = sorted(range(len(files)), key=lambda row: by_numbers(str(files[row])))
            targets = [data.targets[row] for row in rows]
            files = [files[row] for row in rows]
        elif hasattr(data, "data_filename") and (place / str(data.data_filename)).is_file():
            targets = self._labels(place / data.data_filename)
            rows = list(range(len(targets)))
            files = [place / data.data_filename] * len(rows)
        else:
            raise self.published.absent([place])
        labels = checked_labels(targets, self.classes, str(place))
        again = f"download it again from {self.published.address}"
        return TonicRecordings(data, tuple(rows), tuple(files), again), labels

    def _without_download(self, folder: Path, options: dict[str, Any]) -> Any:
        """Return tonic's data set of the files that are there, however few, unpacked."""
        try:
            from tonic import datasets
        except ImportError:
            raise InputError(
                f"{self.published.title} is read through the library tonic:"
                " pip install 'stochi[events]'"
            ) from None
        place = folder / self.reader
        absent = self.published.absent([place])

        def refuse(data: object) -> None:
            raise absent

        # tonic looks into a folder that has the name of the class.
        overrides = {"download": refuse, "_check_exists": lambda data: True}
        local = type(self.reader, (getattr(datasets, self.reader),), overrides)
        try:
            return local(save_to=str(folder), **options)
        except InputError:
            raise
        except FileNotFoundError:
            raise absent from None
        except Exception as error:  # whatever tonic, h5py or numpy raise for a foreign file
            raise self._unreadable(place, error) from error

    def _check_files(self, place: Path) -> None:
        """Raise InputError if a file of speech reaches outside itself or claims too much."""
        form = Form(
            f"a file of {self.published.title} that tonic can read",
            f"download it again from {self.published.address}",
        )
        for file in sorted(place.glob("*.h5")):
            check_plain_file(file, form.remedy)
            check_objects(file, form)

    def _labels(self, file: Path) -> Any:
        """Return the labels of a file of speech, all of which tonic reads for every item."""
        import h5py

        try:
            with h5py.File(file, "r") as content:
                return content["labels"][()]
        except Exception as error:  # h5py raises many kinds
            raise self._unreadable(file, error) from error

    def _unreadable(self, place: Path, error: Exception) -> InputError:
        return InputError(
            f"{place}: tonic cannot read it ({type(error).__name__}, {first_line(error)});"
            f" download it again from {self.published.address}"
        )


def _split(
    recordings: TonicRecordings, labels: torch.Tensor
) -> list[tuple[TonicRecordings, torch.Tensor]]:
    """Divide a set that was published in one part."""
    count = labels.bincount()
    place = torch.zeros_like(labels)
    for label in range(len(count)):
        of_class = labels == label
        place[of_class] = torch.arange(int(count[label]))
    test = place >= count[labels] - count[labels] // TEST_SHARE
    parts = []
    for chosen in (~test, test):
        numbers = chosen.nonzero()[:, 0].tolist()
        rows = tuple(recordings.rows[number] for number in numbers)
        files = tuple(recordings.files[number] for number in numbers)
        part = TonicRecordings(recordings.data, rows, files, recordings.remedy)
        parts.append((part, labels[chosen]))
    return parts


DVS_GESTURE = TonicSet(
    Published(
        "DVS Gesture",
        "DVSGesture/ibmGestureTrain/ and DVSGesture/ibmGestureTest/ as tonic unpacks them",
        "https://figshare.com/ndownloader/files/38022171 (training) and"
        " https://figshare.com/ndownloader/files/38020584 (test)",
    ),
    "DVSGesture",
    (2, 128, 128),
    11,
    ({"train": True}, {"train": False}),
)
CIFAR10_DVS = TonicSet(
    Published(
        "CIFAR10-DVS",
        "CIFAR10DVS/<class>/*.aedat4 as tonic unpacks them",
        "https://figshare.com/ndownloader/files/38023437",
    ),
    "CIFAR10DVS",
    (2, 128, 128),
    10,
    ({},),
)
SHD = TonicSet(
    Published(
        "SHD", "SHD/shd_train.h5 and SHD/shd_test.h5, unpacked", "https://zenkelab.org/datasets/"
    ),
    "SHD",
    (1, 1, 700),
    20,
    ({"train": True}, {"train": False}),
)
SSC = TonicSet(
    Published(
        "SSC", "SSC/ssc_train.h5 and SSC/ssc_test.h5, unpacked", "https://zenkelab.org/datasets/"
    ),
    "SSC",
    (1, 1, 700),
    35,
    ({"split": "train"}, {"split": "test"}),
)
TONIC_SETS = {"dvs-gesture": DVS_GESTURE, "cifar10-dvs": CIFAR10_DVS, "shd": SHD, "ssc": SSC}
