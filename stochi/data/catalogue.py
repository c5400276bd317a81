"""Data sets that can be loaded by name."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from stochi.arguments import check_arguments
from stochi.data import cifar, mnist
from stochi.data.batches import Labelled
from stochi.data.digits import load_digits
from stochi.data.events import nmnist, saccades, tonic_sets
from stochi.data.events.binning import Binning
from stochi.data.events.event_set import EventSet
from stochi.data.events.frame_cache import FrameCache, open_cache
from stochi.data.samples import Samples
from stochi.data.streams import Streams
from stochi.errors import InputError

Folder = str | Path | None
OpenEvents = Callable[[Folder, Binning, FrameCache | None], tuple[EventSet, EventSet]]


@dataclass(frozen=True)
class DataSet:
    """Facts about a data set that are known before it is read.

    Attributes:
        name: the name to load it by.
        shape: (channels, height, width) of an image, or (polarities, height, width) of events at
            one time step.
        classes: number of classes; labels range from 0 to classes − 1.
        read: function from data_dir to (training part, test part), in memory.
        time_steps: of a sample of events, as the default binning makes them; None for images.
        opened: function from data_dir, binning and cache to both parts of a set of events, whose
            recordings stay on disk; None for images.
        needs_files: whether it is read from published files, in data_dir.
    """

    name: str
    shape: tuple[int, int, int]
    classes: int
    read: Callable[[Folder], tuple[Samples, Samples]]
    time_steps: int | None = None
    opened: OpenEvents | None = None
    needs_files: bool = True

    @property
    def events(self) -> bool:
        """Whether its samples are events, not images."""
        return self.opened is not None

    def parts(self, data_dir: Folder, time_steps: int | None = None) -> tuple[Labelled, Labelled]:
        """Return the training part and the test part: images in memory, or recordings on disk.

        Args:
            data_dir: as for :func:`load`.
            time_steps: of a sample of events; None: as many as the default binning makes.
        """
        if self.opened is None:
            return self.read(data_dir)
        return self.opened(data_dir, Binning(time_steps or Binning().time_steps), None)


def _events(name: str, shape: tuple[int, int, int], classes: int, opened: OpenEvents) -> DataSet:
    """Return the facts about a set of events."""
    return DataSet(name, shape, classes, partial(_loaded, opened), Binning().time_steps, opened)


def _loaded(opened: OpenEvents, data_dir: Folder) -> tuple[Streams, Streams]:
    training, test = opened(data_dir, Binning(), None)
    return training.load(), test.load()


DATA_SETS = {
    known.name: known
    for known in (
        DataSet("digits", (1, 8, 8), 10, lambda data_dir: load_digits(), needs_files=False),
        DataSet("mnist", mnist.SHAPE, mnist.CLASSES, mnist.load_mnist),
        DataSet("fashion-mnist", mnist.SHAPE, mnist.CLASSES, mnist.load_fashion_mnist),
        DataSet("cifar10", cifar.SHAPE, 10, cifar.load_cifar10),
        DataSet("cifar100", cifar.SHAPE, 100, cifar.load_cifar100),
        replace(
            _events("saccades", saccades.SHAPE, saccades.CLASSES, saccades.open_saccades),
            needs_files=False,
        ),
        _events("nmnist", nmnist.SHAPE, nmnist.CLASSES, nmnist.open_nmnist),
        *(
            _events(name, known.shape, known.classes, known.open)
            for name, known in tonic_sets.TONIC_SETS.items()
        ),
    )
}


def find_data_set(name: str) -> DataSet:
    """Return the data set with this name.

    Raises:
        InputError: the name is unknown; the message lists all names.
    """
    if name not in DATA_SETS:
        raise InputError(f"unknown data set {name!r}; known sets: {', '.join(DATA_SETS)}")
    return DATA_SETS[name]


def load(name: str, data_dir: Folder = None) -> tuple[Samples, Samples]:
    """Load the training part and the test part of a set, in the published order.

    Args:
        name: ``digits``, ``mnist``, ``fashion-mnist``, ``cifar10``, ``cifar100``, or a set of
            events, such as ``saccades`` or ``nmnist`` (``docs/data.md`` lists them).
        data_dir: the folder that holds the set's published files (``docs/data.md``). Every call
            reads and checks them again. The digits come with scikit-learn and need no folder.

    Returns:
        :class:`stochi.data.Images` in [0, 1], float32 (n, channels, height, width), or
        :class:`stochi.data.Streams` of events, float32 of exactly 0 or 1 (time steps, n,
        polarities, height, width); with labels, int64 (n,).

    Raises:
        InputError: the name is unknown, the set is missing, or a file is damaged; the message
            names the file and where the set is published.
    """
    check_arguments(load, locals())
    return find_data_set(name).read(data_dir)


def open_events(
    name: str,
    data_dir: Folder = None,
    *,
    binning: Binning | None = None,
    cache: str | Path | None = None,
) -> tuple[EventSet, EventSet]:
    """Open the training part and the test part of a set of events; its recordings stay on disk.

    Args:
        name: ``nmnist``, or another set of events of ``docs/data.md``.
        data_dir: the folder that holds the set's published files.
        binning: how recordings become frames; ten steps of equal time by default.
        cache: a folder in which frames are kept from one run to the next; a damaged file in it is
            made anew. It may be deleted at any time.

    Raises:
        InputError: the name is unknown, the set consists of images, is missing, or has a file that
            does not belong to it.
    """
    check_arguments(open_events, locals())
    chosen = find_data_set(name)
    if chosen.opened is None:
        known = ", ".join(known.name for known in DATA_SETS.values() if known.opened)
        raise InputError(
            f"{name} consists of images, not of events: load it with stochi.data.load; sets of"
            f" events: {known}"
        )
    return chosen.opened(data_dir, binning or Binning(), open_cache(cache))
