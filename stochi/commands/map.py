"""``stochi map``, from a Program to the cores and chips that hold it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stochi.commands.console import Output
from stochi.commands.habits import check_new_figure
from stochi.commands.options import JsonOption, ProgramArgument
from stochi.plain_text import counted, in_percent

if TYPE_CHECKING:
    from stochi.deploy import Mapping

WIDTH = 64
"""The most cores in a line of the picture."""
MapChipOption = Annotated[
    str | None,
    typer.Option("--chip", help="loihi1 or loihi2; by default the one of the Program."),
]
FigureOption = Annotated[
    Path | None,
    typer.Option(help="Draw the cores by layer into this file: SVG, PDF or PNG, as its name ends."),
]


def map_command(
    program: ProgramArgument,
    *,
    chip: MapChipOption = None,
    figure: FigureOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place a Program on cores, and say what limits each and how many chips it needs.

    Exit status 1 if it does not fit.
    """
    from stochi.commands.program_tables import doubled_lines
    from stochi.deploy import Program, map_cores
    from stochi.deploy.mapping.figure import draw_cores

    output = Output(as_json)
    check_new_figure(figure, program)
    loaded = Program.load(program)
    mapping = map_cores(loaded, chip)
    if mapping.cores:
        output.table(layer_rows(mapping), f"Cores of {mapping.limits.chip}")
        for line in draw_text(mapping, output.result.width):
            output.prose(line)
    lines = doubled_lines(loaded, mapping.limits.chip) if mapping.cores else []
    for line in [*lines, *summary(mapping)]:
        output.prose(line)
    if figure is not None and mapping.cores:
        draw_cores(mapping, figure)
        output.line(f"Wrote {figure}")
    output.finish({"program": str(program), **mapping.to_json()})
    if not mapping.fits:
        raise typer.Exit(1)


def layer_rows(mapping: "Mapping") -> list[list[str]]:
    """Return a row for each layer, after the head."""
    from stochi.deploy.mapping.results import LIMITED

    rows = [["layer", "cores", "block", "neurons", "words", "axons in", "axons out", "fullest"]]
    for name in mapping.layers:
        cores = mapping.cores_of(name)
        if not cores:
            rows.append([name, "0", *["–"] * 6])
            continue
        fullest = max(cores, key=lambda core: core.fullness(mapping.limits))
        what = fullest.limited_by(mapping.limits)
        parts = [part for core in cores for part in core.parts if part.layer == name]
        block = max(parts, key=lambda part: part.block.neurons).block
        use = mapping.use_of(name)
        rows.append(
            [
                *(name, f"{len(cores):,}", "×".join(map(str, block.shape)), f"{use.neurons:,}"),
                *(f"{use.words:,}", f"{use.input_axons:,}", f"{use.output_axons:,}"),
                f"{LIMITED[what]} {in_percent(fullest.fullness(mapping.limits), 0)}",
            ]
        )
    return rows


def draw_text(mapping: "Mapping", width: int = 80) -> list[str]:
    """Return a picture of the chips: a letter for the layer of most of a core's neurons.

    Args:
        mapping: where the cores are.
        width: columns that the picture may take.
    """
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    letter = {name: letters[i % len(letters)] for i, name in enumerate(mapping.layers)}
    chips = [""] * mapping.chips
    for core in mapping.cores:
        main = max(core.parts, key=lambda part: part.use.neurons)
        chips[core.chip] += letter[main.layer]
    shown = []
    for number, cores in enumerate(chips[:8]):
        head = f"chip {number}  "
        of_line = max(1, min(WIDTH, width - len(head)))
        for start in range(0, len(cores), of_line):
            shown.append(head + cores[start : start + of_line])
            head = " " * len(head)
    if len(chips) > 8:
        shown.append(f"… and {len(chips) - 8:,} more chips")
    legend = ", ".join(f"{letter[name]} {name}" for name in mapping.layers)
    shared = sum(len({part.layer for part in core.parts}) > 1 for core in mapping.cores)
    lines = [*shown, f"Each letter is a core: {legend}"]
    if shared:
        cores = f"{counted(shared, 'core')} {'holds' if shared == 1 else 'hold'}"
        lines.append(f"{cores} several layers, under the letter of the one with most neurons")
    return lines


def summary(mapping: "Mapping") -> list[str]:
    """Return what there is to say in words."""
    limits = mapping.limits
    lines = [f"Does not fit: {problem}" for problem in mapping.problems]
    if mapping.cores:
        neurons = sum(core.use.neurons for core in mapping.cores)
        share = neurons / (len(mapping.cores) * limits.neurons)
        chips = counted(mapping.chips, "chip")
        cores = counted(len(mapping.cores), "core")
        lines.append(
            f"{cores} on {chips} of {limits.cores} cores; their neurons are"
            f" {in_percent(share, 0)} in use"
        )
    if mapping.unknown:
        lines.append(
            f"Unknown of {limits.chip}, so not checked, and counted as loihi1 has it:"
            f" {', '.join(mapping.unknown)}"
        )
    return lines
