"""The options that name a data set, and the check that it fits a network."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stochi.errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from stochi.data.catalogue import DataSet
    from stochi.data.images import Images
    from stochi.deploy.program import Program

DataOption = Annotated[
    str, typer.Option("--data", help="digits, mnist, fashion-mnist, cifar10 or cifar100.")
]
DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder with that set's published files; digits need none."),
]

LoweredFromOption = Annotated[
    Path | None,
    typer.Option(help="Checkpoint that the Program was lowered from, where it was tuned."),
]


def load_test_images(
    data: str,
    data_dir: Path | None,
    network: str | Path,
    shape: tuple[int, ...],
    classes: int,
) -> "Images":
    """A set's test part, for a network that takes images of that shape and tells classes apart.

    Args:
        network, shape, classes: as in :func:`check_images_fit`.

    Raises:
        InputError: the set's images or classes are others than the network's, or it cannot be read.
    """
    from stochi.data.catalogue import find_data_set

    chosen = find_data_set(data)
    check_images_fit(chosen, network, shape, classes)
    return chosen.read(data_dir)[1]


def load_compared(
    checkpoint: Path,
    program: Path,
    lowered_from: Path | None,
    data: str,
    data_dir: Path | None,
) -> "tuple[nn.Module, Program, nn.Module | None, Images]":
    """A network, its Program, the tuned network that this was lowered from, if any, and the test
    images of a set.

    Raises:
        CheckpointError, ProgramError: a file is missing, foreign or damaged.
        InputError: the Program takes events, or the images do not fit the network.
    """
    from stochi.train.checkpoint import NetworkConfig, load_checkpoint

    model, content = load_checkpoint(checkpoint)
    network = NetworkConfig.from_dict(content["network"])
    lowered = load_program_for_images(program)
    test = load_test_images(data, data_dir, checkpoint, network.input_shape, network.classes)
    origin = None if lowered_from is None else load_checkpoint(lowered_from)[0]
    return model, lowered, origin, test


def load_program_for_images(path: Path) -> "Program":
    """A Program. InputError where it takes events: the data sets of the commands are images."""
    from stochi.deploy.program import Program

    program = Program.load(path)
    if program.input_levels == 1:
        raise InputError(
            f"{path} takes binary events, and the data sets here are images; run it from Python:"
            " stochi.sim.run(program, events), stochi.sim.check_parity(model, program, (frames,"
            " labels))"
        )
    return program


def check_images_fit(
    chosen: "DataSet", network: str | Path, shape: tuple[int, ...], classes: int
) -> None:
    """Raise InputError where a set's images or classes are others than a network's.

    Args:
        network: the network's file, for the message.
        shape: (channels, height, width) that it takes; classes: how many outputs it has.
    """
    from stochi.data.catalogue import DATA_SETS

    if (chosen.shape, chosen.classes) != (shape, classes):
        fitting = [s.name for s in DATA_SETS.values() if (s.shape, s.classes) == (shape, classes)]
        raise InputError(
            f"{network} takes images of {_sizes(shape)} in {classes} classes, those of"
            f" {chosen.name} have {_sizes(chosen.shape)} in {chosen.classes}; "
            + (f"give --data {' or '.join(fitting)}" if fitting else "no set here fits it")
        )


def _sizes(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
