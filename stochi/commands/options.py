"""Arguments and options that commands share."""

from pathlib import Path
from typing import Annotated

import typer

CheckpointArgument = Annotated[Path, typer.Argument(help="Checkpoint of 'stochi train'.")]
ProgramArgument = Annotated[Path, typer.Argument(help="Program of 'stochi deploy'.")]
LoweredProgramArgument = Annotated[
    Path, typer.Argument(help="Program that was lowered from the checkpoint's network.")
]
ComparedProgramArgument = Annotated[
    Path,
    typer.Argument(help="Program that was lowered from the checkpoint's network, or tuned to it."),
]

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON, and no progress.")
]
CheckpointOutOption = Annotated[Path, typer.Option(help="Checkpoint to write.")]
SeedOption = Annotated[
    int, typer.Option(help="Seed of the draws; the same seed gives the same result.")
]
TrainingSeedOption = Annotated[int, typer.Option(help="Seed of the training and of its draws.")]
ParitySeedOption = Annotated[
    int,
    typer.Option(help="Seed of the draws; values are compared with the next seed, too."),
]
DeviceOption = Annotated[str, typer.Option(help="Where torch computes: cpu or cuda.")]
DataOption = Annotated[
    str, typer.Option("--data", help="digits, mnist, fashion-mnist, cifar10 or cifar100.")
]
DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder with the published files of that set; not for digits."),
]

LoweredFromOption = Annotated[
    Path | None,
    typer.Option(help="Checkpoint of 'stochi tune' that the Program was lowered from, if any."),
]
AttackOption = Annotated[
    str,
    typer.Option(
        "--attack",
        help="Names separated by commas: auto-snn, fgsm, mi-fgsm, pgd, pgd-cosine, sa-pgd, apgd,"
        " apgd-dlr, apgd-t, fab, auto-rand, auto-standard, square, hop-skip-jump. auto-snn is"
        " AutoAttack for spiking networks. Uniform noise is always added.",
    ),
]
SurrogatesOption = Annotated[
    str | None,
    typer.Option(
        help="Surrogate gradients, separated by commas, with each of which attacks run: own,"
        " adaptive, potential, or a kernel with its sharpness, like atan-25; own by default."
        " auto-snn has its own choice."
    ),
]
EpsilonsOption = Annotated[
    str | None,
    typer.Option(help="Several ε separated by commas, instead of --epsilon."),
]
TrialsOption = Annotated[int, typer.Option(help="Number of repetitions of each accuracy.")]


def was_given(context: typer.Context, option: str) -> bool:
    """Return whether the user gave the option with this name of a parameter."""
    source = context.get_parameter_source(option)
    return source is not None and source.name != "DEFAULT"
