"""``stochi show``, what a file holds: a Program's or a NIR graph's."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from stochi.commands.compared import is_graph
from stochi.commands.console import Output
from stochi.commands.options import (
    ConventionOption,
    GraphDtOption,
    JsonOption,
    ResetOption,
    refuse,
)
from stochi.commands.recorded import recorded_warnings

FileArgument = Annotated[
    Path, typer.Argument(help="Program of 'stochi deploy', or a NIR graph of any framework.")
]


def show_command(
    context: typer.Context,
    file: FileArgument,
    *,
    dt: GraphDtOption = None,
    convention: ConventionOption = None,
    reset: ResetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what a Program holds, or a NIR graph: its layers, its neurons and its time step."""
    output = Output(as_json)
    if is_graph(file):
        _show_graph(output, file, dt, convention, reset)
    else:
        refuse(context, ("dt", "convention", "reset"), "it is for a NIR graph")
        _show_program(output, file)


def _show_graph(
    output: Output, file: Path, dt: float | None, convention: str | None, reset: str | None
) -> None:
    from stochi.commands.graph_tables import summarize
    from stochi.commands.program_tables import named_cells
    from stochi.deploy import read_graph, resolve_conventions
    from stochi.deploy.graph.node_table import TEXT_COLUMNS

    with recorded_warnings() as caught:
        graph = resolve_conventions(read_graph(file), dt=dt, convention=convention, reset=reset)
        found = summarize(graph, dt)
    output.line(f"NIR graph {file}")
    title, text_columns = ("Nodes", TEXT_COLUMNS) if found.problem else ("Layers", 1)
    output.table(found.layers, title, text_columns)
    for line in found.lines:
        output.prose(line)
    problems = [*caught, *([f"it cannot be run as it is: {found.problem}"] * bool(found.problem))]
    for message in problems:
        output.prose(f"Warning: {message}")
    layers = [] if found.problem else named_cells(found.layers)
    output.finish({"graph": str(file), **found.values, "layers": layers, "warnings": problems})


def _show_program(output: Output, program: Path) -> None:
    from stochi.commands.program_tables import (
        doubled_lines,
        find_noise,
        layer_rows,
        named_cells,
        neurons_on_chip,
        noise_rows,
        output_words,
    )
    from stochi.program import Program

    loaded = Program.load(program)
    target, layers, noise = loaded.target, layer_rows(loaded), find_noise(loaded)
    output.table(layers, loaded.title)
    for line in doubled_lines(loaded):
        output.prose(line)
    if noise:
        output.table(noise_rows(noise), f"Noise, random bits from {target.random_source}", 2)
    else:
        output.prose("Nothing is random in it")
    shape = "×".join(map(str, loaded.input_shape))
    kind = "binary events" if target.events else f"images in {target.input_levels + 1} levels"
    output.prose(f"Input: {kind} of {shape}; time step: {target.dt:g} s")
    output.prose(f"Output: {loaded.classes} outputs, {output_words(loaded)}")
    output.finish(
        {
            "program": str(program),
            "target": asdict(target),
            "input_shape": list(loaded.input_shape),
            "classes": loaded.classes,
            "output": loaded.output,
            "readout": loaded.readout,
            "over_time": loaded.over_time,
            "layers": named_cells(layers),
            "neurons_on_chip": neurons_on_chip(loaded),
            "noise": noise,
        }
    )
