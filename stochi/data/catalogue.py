"""Data sets that can be loaded by name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stochi.data import cifar, mnist
from stochi.data.digits import load_digits
from stochi.data.images import Images
from stochi.errors import InputError


@dataclass(frozen=True)
class DataSet:
    """Facts about a data set that are known before it is read.

    Attributes:
        name: the name to load it by.
        shape: (channels, height, width) of an image.
        classes: number of classes; labels range from 0 to classes − 1.
        read: function from data_dir to (training part, test part).
    """

    name: str
    shape: tuple[int, int, int]
    classes: int
    read: Callable[[str | Path | None], tuple[Images, Images]]


DATA_SETS = {
    known.name: known
    for known in (
        DataSet("digits", (1, 8, 8), 10, lambda data_dir: load_digits()),
        DataSet("mnist", mnist.SHAPE, mnist.CLASSES, mnist.load_mnist),
        DataSet("fashion-mnist", mnist.SHAPE, mnist.CLASSES, mnist.load_fashion_mnist),
        DataSet("cifar10", cifar.SHAPE, 10, cifar.load_cifar10),
        DataSet("cifar100", cifar.SHAPE, 100, cifar.load_cifar100),
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


def load(name: str, data_dir: str | Path | None = None) -> tuple[Images, Images]:
    """Load the training part and the test part of a set, in the published order.

    Args:
        name: ``digits``, ``mnist``, ``fashion-mnist``, ``cifar10`` or ``cifar100``.
        data_dir: the folder that holds the set's published files (``docs/data.md``). Every call
            reads and checks them again. The digits come with scikit-learn and need no folder.

    Returns:
        Images in [0, 1], float32 (n, channels, height, width), and labels, int64 (n,).

    Raises:
        InputError: the name is unknown, the set is missing, or a file is damaged; the message
            names the file and where the set is published.
    """
    return find_data_set(name).read(data_dir)
