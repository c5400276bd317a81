"""``stochi estimate``, what a Program costs on data: events, energy and time."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stochi.commands.console import Output
from stochi.commands.data import Taken, inputs_of, load_test, samples_of
from stochi.commands.options import (
    DataDirOption,
    DataOption,
    ImagesOption,
    InputsOption,
    JsonOption,
    ProgramArgument,
    SeedOption,
    TrialOption,
    refuse,
    was_given,
)
from stochi.commands.own_inputs import read_program_inputs
from stochi.commands.recorded import recorded_warnings

if TYPE_CHECKING:
    from stochi.data.batches import Data
    from stochi.program import Program
    from stochi.sim.inputs import Given

FiguresOption = Annotated[
    str | None,
    typer.Option(
        help="loihi1: apply Loihi 1's published figures, as a reference, also to a Program for"
        " Loihi 2, for which none are published; by default those of the Program's chip."
    ),
]


def estimate_command(
    context: typer.Context,
    program: ProgramArgument,
    *,
    inputs: InputsOption = None,
    images: ImagesOption = 64,
    figures: FiguresOption = None,
    seed: SeedOption = 0,
    trial: TrialOption = 0,
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count a Program's events on data, and estimate its energy and time."""
    from stochi.commands.estimate_tables import account_rows, layer_rows, metric_rows, random_words
    from stochi.deploy import estimate
    from stochi.program import Program

    output = Output(as_json)
    loaded = Program.load(program)
    if inputs is None:
        shown: Data | Given = load_test(data, data_dir, Taken.by_program(program, loaded)).first(
            images
        )
    else:
        refuse(context, ("data", "data_dir"), "--inputs was given")
        shown = _read_own(output, loaded, inputs, images if was_given(context, "images") else None)
    found = estimate(
        loaded,
        shown,
        figures=figures,
        seed=seed,
        trial=trial,
        progress=output.counter("engine"),
    )
    count = found.counts.samples
    on = samples_of(data, count) if inputs is None else inputs_of(inputs, count)
    title = f"Events of a sample, mean of {on}"
    output.table(layer_rows(found), title)
    output.table(account_rows(found), "Energy and time of a sample", 2)
    for line in random_words(found).splitlines():
        output.line(line)
    output.line("")
    output.table(metric_rows({"Program": found.metrics}), "NeuroBench's metrics")
    for note in found.notes:
        output.line(f"- {note}")
    output.finish({"program": str(program), "seed": seed, "trial": trial, **found.to_json()})


def _read_own(output: Output, program: "Program", inputs: Path, count: int | None) -> "Given":
    from stochi.sim.inputs import InOrder

    with recorded_warnings() as caught:
        shown, _ = read_program_inputs(program, inputs, None, count)
    for message in caught:
        output.warning(message)
    return InOrder(shown)
