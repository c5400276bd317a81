"""Arguments and options that commands share."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from stochi.commands.configuration import Several, is_as_by_default
from stochi.errors import InputError
from stochi.plain_text import shorten_repr

CheckpointArgument = Annotated[Path, typer.Argument(help="Checkpoint of 'stochi train'.")]
ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="FILE.py:NAME or package.module:NAME, a torch.nn.Module, or a function or class that"
        " makes one without arguments (its code runs); a NIR graph file; or a checkpoint of 'stochi"
        " train'.",
    ),
]
ProgramArgument = Annotated[Path, typer.Argument(help="Program of 'stochi deploy'.")]
OptionalProgramArgument = Annotated[
    Path | None,
    typer.Argument(
        help="Program that was lowered from the model, or tuned to it; if left out, it is lowered"
        " here, with --chip, --noise and --events."
    ),
]
LoweredProgramArgument = Annotated[
    Path, typer.Argument(help="Program that was lowered from the checkpoint's network.")
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
    str,
    typer.Option(
        "--data",
        help="Images: digits, mnist, fashion-mnist, cifar10 or cifar100. Events: saccades, nmnist"
        " or another set of docs/data.md.",
    ),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder with the published files of that set; not for digits and saccades.",
    ),
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
        " apgd-dlr, apgd-t, fab, auto-rand, auto-standard, square, hop-skip-jump; for streams of"
        " events random-events, greedy-spikes, boundary, sparse-gradient, probabilistic-pgd,"
        " spike-fool, retiming, top-gradient, frame, corner, dash, mask-aware-dash; of these"
        " 'stochi attack' runs random-events and sparse-gradient unless told otherwise. auto-snn is"
        " AutoAttack for spiking networks. Uniform noise always joins attacks on images.",
    ),
    Several,
]
SurrogatesOption = Annotated[
    str | None,
    typer.Option(
        help="Surrogate gradients, separated by commas, with each of which attacks run: own,"
        " adaptive, potential, or a kernel with its sharpness, like atan-25; own by default."
        " auto-snn has its own choice."
    ),
    Several,
]
EpsilonsOption = Annotated[
    str | None,
    typer.Option(help="Several ε separated by commas, instead of --epsilon."),
    Several,
]
GraphDtOption = Annotated[
    float | None,
    typer.Option(help="Length of a time step in seconds, if the graph does not give it."),
]
ConventionOption = Annotated[
    str | None,
    typer.Option(
        help="Framework that wrote the graph: snntorch, norse, sinabs, rockpool, spyx or"
        " spikingjelly; or nir, to take all numbers as NIR's equations say. By default recognized."
    ),
]
ResetOption = Annotated[
    str | None,
    typer.Option(
        help="How a spike resets neurons whose metadata does not say it: zero (to v_reset) or"
        " subtract (the threshold); by default zero, with a warning."
    ),
]
ChipOption = Annotated[str, typer.Option(help="loihi2, or loihi1, which takes --events only.")]
NoiseOption = Annotated[
    str,
    typer.Option(
        help="How τ becomes random on the chip: decay (drawn there, exact); membrane or current"
        " (mean τ and the stock generator, fitted to training inputs); or none (mean τ)."
    ),
]
CalibrationOption = Annotated[
    Path | None,
    typer.Option(
        help="Own inputs that the noise is fitted to, in place of training images of --data: .npy,"
        " .npz or .pt, (batch, *shape) or (time steps, batch, *shape), without labels; not those"
        " that are tested."
    ),
]
FIT_IMAGES_HELP = (
    "Number of inputs for the fit of noise, from the front; by default 256, or all of a file with"
    " fewer."
)
CalibrationImagesOption = Annotated[
    int | None, typer.Option("--calibration-images", help=FIT_IMAGES_HELP)
]
EventsOption = Annotated[
    bool, typer.Option("--events", help="The input is binary events, not images.")
]
WeightsOption = Annotated[
    Path | None,
    typer.Option(help="Weights of NAME: a state_dict of torch.save, or a safetensors file."),
]
InputsOption = Annotated[
    Path | None,
    typer.Option(
        help="Own inputs in place of --data: .npy, .npz or .pt, images (batch, *shape) or streams"
        " (time steps, batch, *shape)."
    ),
]
LabelsOption = Annotated[
    Path | None,
    typer.Option(
        help="Labels of the inputs: .npy, .npz or .pt, whole numbers, or floats of a regression,"
        " (batch, outputs) or (time steps, batch, outputs); by default those named 'labels' in the"
        " file of the inputs."
    ),
]
ImagesOption = Annotated[
    int, typer.Option(help="Number of test images; of your own inputs, all by default.")
]
TrialOption = Annotated[
    int, typer.Option(help="Number of the repetition; another one has other draws.")
]
TrialsOption = Annotated[int, typer.Option(help="Number of repetitions of each accuracy.")]


def check_there(*files: Path | None) -> None:
    """Raise InputError for a file that is missing, before anything slow or foreign is loaded."""
    for file in files:
        if file is not None and not file.exists():
            raise InputError(f"{file}: no such file")


def draw_seeds(seed: int, count: int = 1) -> tuple[int, ...]:
    """Return a number of seeds, from that of --seed on.

    Raises:
        InputError: one of them is out of range, or the attacker's.
    """
    from stochi.hardware.draws import LARGEST_SEED
    from stochi.parity.arguments import ATTACKER_SEED

    last = LARGEST_SEED - count + 1
    seeds = tuple(range(seed, seed + count))
    if not 0 <= seed <= last:
        why = ", since the next seed is used, too" if count > 1 else ""
        raise InputError(f"--seed is {shorten_repr(seed)}; it must be from 0 to {last}{why}")
    if ATTACKER_SEED in seeds:
        which = "that" if seed == ATTACKER_SEED else "the next one"
        raise InputError(f"--seed is {seed}; {which} is the attacker's, so choose another")
    return seeds


def was_given(context: typer.Context, option: str) -> bool:
    """Return whether the user gave the option with this name of a parameter."""
    source = context.get_parameter_source(option)
    if source is None or source.name == "DEFAULT":
        return False
    return source.name != "DEFAULT_MAP" or not is_as_by_default(context, option)


def refuse(context: typer.Context, options: Iterable[str], reason: str) -> None:
    """Raise InputError for the first of these options that was given.

    Args:
        options: names of parameters.
        reason: why they have no effect, as a clause.
    """
    for option in options:
        if was_given(context, option):
            raise InputError(f"--{option.replace('_', '-')}: {reason}; leave it out")
