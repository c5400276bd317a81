"""Networks, Programs and the images for them, checked against each other."""

from pathlib import Path
from typing import TYPE_CHECKING

from stochi.commands.own_model import is_spec
from stochi.errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from stochi.data.catalogue import DataSet
    from stochi.data.samples import Samples
    from stochi.program import Program
    from stochi.train import NetworkConfig


def load_network(checkpoint: Path) -> "tuple[nn.Module, NetworkConfig]":
    """Load a trained network, in eval mode, and how it is built.

    Raises:
        CheckpointError: the file is missing, foreign or damaged.
        InputError: a network in Python code is named.
    """
    from stochi.train import NetworkConfig, load_checkpoint

    if is_spec(str(checkpoint)):
        raise InputError(
            f"{checkpoint} is a network in Python code, and this takes a checkpoint of 'stochi"
            " train'; tune your own network with stochi.train.fine_tune (docs/python.md)"
        )
    model, content = load_checkpoint(checkpoint)
    return model, NetworkConfig.from_dict(content["network"])


def load_program(path: Path, for_images: bool = True) -> "Program":
    """Load a Program.

    Args:
        for_images: whether it will be shown images of a data set, and not the user's own inputs.

    Raises:
        ProgramError: the file is missing, foreign or damaged.
        InputError: the Program takes events, and the inputs are images.
    """
    from stochi.program import Program

    program = Program.load(path)
    if for_images and program.target.events:
        raise InputError(
            f"{path} takes binary events, and the data sets here are images; give --inputs with"
            " your own events"
        )
    return program


def load_test_images(
    data: str, data_dir: Path | None, network: str | Path, shape: tuple[int, ...], classes: int
) -> "Samples":
    """Load the test part of a set, for a network with this input shape and number of classes.

    Args:
        network, shape, classes: as for :func:`check_images_fit`.

    Raises:
        InputError: the set's images or classes are not the network's, or the set cannot be read.
    """
    from stochi.data.catalogue import find_data_set

    chosen = find_data_set(data)
    check_images_fit(chosen, network, shape, classes)
    return chosen.read(data_dir)[1]


def check_images_fit(
    chosen: "DataSet", network: str | Path, shape: tuple[int, ...], classes: int
) -> None:
    """Raise InputError if a set's images or classes are not those of a network.

    Args:
        network: the network's file, for the message.
        shape: (channels, height, width) of the images that the network takes.
        classes: number of the network's outputs.
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
