"""``stochi deploy --format lava``: a folder that runs a Program where torch is not installed."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stochi.commands.data import Taken, load_test
from stochi.commands.habits import check_new_folder, check_new_output
from stochi.commands.options import refuse
from stochi.commands.output_names import named_after
from stochi.commands.own_inputs import read_inputs
from stochi.errors import InputError
from stochi.files import PROGRAM, kind_of_file

if TYPE_CHECKING:
    from stochi.program import Program

FORMATS = ("program", "lava")
LOWERING = (
    *("chip", "noise", "dt", "time_steps", "bits", "events", "random_source", "convention"),
    *("reset", "calibration", "images", "fitted"),
)
"""Options of the lowering, by their parameters' names."""
CARRIED = ("inputs", "samples", "seed", "trial")
"""Options of what a folder carries along."""

FormatOption = Annotated[
    str,
    typer.Option(
        "--format",
        help="program (a file), or lava: a folder that runs where lava-nc and numpy are installed,"
        " without torch and Stochi, and compares itself with what Stochi computes.",
    ),
]
CarriedInputsOption = Annotated[
    Path | None,
    typer.Option(
        help="With --format lava: inputs that the folder carries along, in place of test samples of"
        " --data: .npy, .npz or .pt, (batch, *shape) or (time steps, batch, *shape)."
    ),
]
SamplesOption = Annotated[
    int, typer.Option(help="With --format lava: number of samples that the folder carries along.")
]
DrawsSeedOption = Annotated[int, typer.Option(help="With --format lava: seed of the draws.")]
DrawsTrialOption = Annotated[
    int, typer.Option(help="With --format lava: number of the repetition, which chooses draws.")
]


@dataclass(frozen=True)
class Carried:
    """What a folder carries along.

    Attributes:
        inputs: file of inputs; None for test samples of a set.
        samples: number of samples, from the front.
        seed, trial: of the draws.
        data, data_dir: the set of test samples.
    """

    inputs: Path | None
    samples: int
    seed: int
    trial: int
    data: str
    data_dir: Path | None


def check_target(
    context: typer.Context, form: str, out: Path | None, source: Path, *read: Path | None
) -> Path:
    """Return where to write, after checks that come before any work.

    Args:
        source: the file that is deployed, which the output is named after.
        read: further files that the command reads.

    Raises:
        InputError: the format is unknown, an option belongs to another one, or the target cannot be
            written.
    """
    if form not in FORMATS:
        raise InputError(f"--format is {form!r}; choose from {', '.join(FORMATS)}")
    if form == "program":
        refuse(context, CARRIED, "it belongs to --format lava")
        file = out or named_after(source, ".program")
        check_new_output(file, source, *read)
        return file
    from stochi.deploy.portable.sums_file import check_folder

    folder = out or named_after(source, "_lava")
    check_folder(folder)
    check_new_folder(folder)
    return folder


def load_ready(context: typer.Context, graph: Path, form: str) -> "Program | None":
    """Return the Program in a file, which needs no lowering; None if the file is something else.

    Raises:
        InputError: a Program was given without --format lava, or with options of a lowering.
    """
    from stochi.program import Program

    is_archive = graph.is_file() and kind_of_file(graph) == PROGRAM
    if not is_archive:
        return None
    if form != "lava":
        raise InputError(
            f"{graph}: {PROGRAM}, which is lowered already; give the NIR graph that it came from,"
            " or --format lava for a folder that runs it"
        )
    refuse(context, LOWERING, f"{graph} is a Program, which is lowered already")
    return Program.load(graph)


def write_folder(program: "Program", source: Path, folder: Path, carried: Carried) -> str:
    """Write the folder; return a line that says so.

    Args:
        source: file that the Program comes from, for messages.
    """
    from stochi.data.batches import in_memory
    from stochi.deploy import write_lava
    from stochi.sim.inputs import InOrder, check_inputs

    samples = carried.samples
    if samples < 1:
        raise InputError(f"--samples is {samples}; carry at least 1 along")
    if carried.inputs is None:
        test = load_test(carried.data, carried.data_dir, Taken.by_program(source, program))
        shown = in_memory(test.first(samples)).inputs
    else:
        shown = read_inputs(carried.inputs)
        try:
            check_inputs(program, shown)
        except InputError as error:
            raise InputError(f"{carried.inputs}: {error}") from error
    batch = shown.dim() - len(program.input_shape) - 1
    shown = shown.narrow(batch, 0, min(samples, shown.shape[batch]))
    write_lava(program, folder, InOrder(shown), seed=carried.seed, trial=carried.trial)
    return (
        f"Wrote {folder}, with {shown.shape[batch]} samples; its README.md says how it runs without"
        " Stochi"
    )
