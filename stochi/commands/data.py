"""Networks, Programs and the data sets for them, checked against each other."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stochi.commands.own_model import is_spec
from stochi.errors import InputError
from stochi.plain_text import counted

if TYPE_CHECKING:
    from torch import nn

    from stochi.data.batches import Labelled
    from stochi.data.catalogue import DataSet
    from stochi.program import Program
    from stochi.train import NetworkConfig


@dataclass(frozen=True)
class Taken:
    """What a network, a graph or a Program takes.

    Attributes:
        file: where it is stored, for messages.
        shape: of an input at one time step, (channels or polarities, height, width).
        classes: number of outputs.
        events: whether it takes binary events, not images.
        time_steps: of a sample; None if it does not say.
    """

    file: str | Path
    shape: tuple[int, ...]
    classes: int
    events: bool
    time_steps: int | None

    @staticmethod
    def by_network(file: str | Path, network: "NetworkConfig") -> "Taken":
        """Return what a trained network takes."""
        shape, classes = network.input_shape, network.classes
        return Taken(file, shape, classes, network.events, network.time_steps)

    @staticmethod
    def by_program(file: str | Path, program: "Program") -> "Taken":
        """Return what a Program takes."""
        target = program.target
        return Taken(file, program.input_shape, program.classes, target.events, target.time_steps)


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


def load_test(data: str, data_dir: Path | None, taken: Taken) -> "Labelled":
    """Load the test part of a set that a network takes.

    Returns:
        Images in memory, or events that stay on disk, binned into the network's time steps.

    Raises:
        InputError: the set does not fit the network, or cannot be read.
    """
    from stochi.data.catalogue import find_data_set

    chosen = find_data_set(data)
    check_fits(chosen, taken, "no set here fits it: give your own with --inputs")
    return read_parts(chosen, data_dir, taken.time_steps)[1]


def read_parts(
    chosen: "DataSet", data_dir: Path | None, time_steps: int | None = None
) -> "tuple[Labelled, Labelled]":
    """Return the training part and the test part of a set, as its ``parts`` does.

    Raises:
        InputError: the set cannot be read, or a folder was given and it needs none.
    """
    check_data_dir(chosen, data_dir)
    return chosen.parts(data_dir, time_steps)


def check_data_dir(chosen: "DataSet", data_dir: Path | None) -> None:
    """Raise InputError if a folder was given for a set that needs no files."""
    if data_dir is not None and not chosen.needs_files:
        raise InputError(f"--data-dir: {chosen.name} needs no files; leave it out")


def check_fits(chosen: "DataSet", taken: Taken, otherwise: str = "no set here fits it") -> None:
    """Raise InputError if a set's samples or classes are not those that a network takes.

    Args:
        otherwise: what to do if no set fits, as the end of the message.
    """
    check_kind(chosen, taken)
    if (chosen.shape, chosen.classes) == (taken.shape, taken.classes):
        return
    kind = "events" if taken.events else "images"
    fitting = _fitting(taken)
    raise InputError(
        f"{taken.file} takes {kind} of {_sizes(taken.shape)} in {taken.classes} classes, those of"
        f" {chosen.name} have {_sizes(chosen.shape)} in {chosen.classes}; "
        + (f"give --data {' or '.join(fitting)}" if fitting else otherwise)
    )


def check_kind(chosen: "DataSet", taken: Taken) -> None:
    """Raise InputError if a network takes events and a set consists of images, or the reverse."""
    if taken.events == chosen.events:
        return
    fitting = _fitting(taken)
    ways = [f"give --data {' or '.join(fitting)}"] if fitting else []
    if taken.events:
        ways.append("give --inputs with your own events")
    else:
        ways.append(
            f"take a network for events: 'stochi train --data {chosen.name}', and 'stochi deploy"
            " --events'"
        )
    takes, has = ("binary events", "images") if taken.events else ("images", "events")
    raise InputError(
        f"{taken.file} takes {takes} of {_sizes(taken.shape)}, and {chosen.name} consists of"
        f" {has}; {', or '.join(ways)}"
    )


def _fitting(taken: Taken) -> list[str]:
    """Return the names of the sets that a network takes."""
    from stochi.data.catalogue import DATA_SETS

    wanted = (taken.shape, taken.classes, taken.events)
    return [s.name for s in DATA_SETS.values() if (s.shape, s.classes, s.events) == wanted]


def _sizes(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def samples_of(data: str, count: int | None = None, kind: str = "") -> str:
    """Return what the samples of a data set are called, like "images of digits".

    Args:
        data: name of the set.
        count: number of samples, which then comes first.
        kind: stands before the noun.
    """
    from stochi.data.catalogue import find_data_set

    noun = f"{kind} {'recording' if find_data_set(data).events else 'image'}".lstrip()
    return f"{noun}s of {data}" if count is None else f"{counted(count, noun)} of {data}"


def inputs_of(file: Path, count: int) -> str:
    """Return what so many inputs of a file are called."""
    return f"{counted(count, 'input')} of {file}"
