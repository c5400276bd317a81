"""``stochi show``, what a Program's file holds."""

from dataclasses import asdict

from stochi.commands.console import Output
from stochi.commands.options import JsonOption, ProgramArgument


def show_command(program: ProgramArgument, *, as_json: JsonOption = False) -> None:
    """Print what a Program holds: its target, its layers and its noise."""
    from stochi.commands.program_tables import (
        find_noise,
        layer_rows,
        named_cells,
        noise_rows,
        program_title,
    )
    from stochi.program import Program

    output = Output(as_json)
    loaded = Program.load(program)
    target, layers, noise = loaded.target, layer_rows(loaded), find_noise(loaded)
    output.table(layers, program_title(loaded))
    if noise:
        output.table(noise_rows(noise), f"Noise, random bits from {target.random_source}", 2)
    else:
        output.line("Nothing is random in it")
    shape = "×".join(map(str, loaded.input_shape))
    kind = "binary events" if target.events else f"images in {target.input_levels + 1} levels"
    output.line(f"Input: {kind} of {shape}; time step: {target.dt:g} s")
    output.line(f"Output: {loaded.classes} classes, the mean {loaded.readout} of {loaded.output}")
    output.finish(
        {
            "program": str(program),
            "target": asdict(target),
            "input_shape": list(loaded.input_shape),
            "classes": loaded.classes,
            "output": loaded.output,
            "readout": loaded.readout,
            "layers": named_cells(layers),
            "noise": noise,
        }
    )
