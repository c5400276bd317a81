"""``stochi attack``"""

from pathlib import Path
from typing import Annotated

import typer

from stochi.commands.console import JsonOption, Output, SeedOption


def attack(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint of 'stochi train'.")],
    program: Annotated[Path, typer.Argument(help="Program that was lowered from it.")],
    epsilon: Annotated[float, typer.Option(help="Largest change of a pixel, in [0, 1].")] = 0.1,
    steps: Annotated[int, typer.Option(help="PGD steps.")] = 20,
    draws: Annotated[int, typer.Option(help="EOT draws a step.")] = 10,
    images: Annotated[int, typer.Option(help="How many of the held-out digits.")] = 128,
    trials: Annotated[int, typer.Option(help="Repetitions of each accuracy.")] = 10,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Accuracy under PGD with EOT, made on the float and on the hardware-aware model."""
    from stochi.attacks import PGD, UniformNoise
    from stochi.data import load_digits
    from stochi.deploy import Program
    from stochi.sim import check_parity
    from stochi.train.checkpoint import load_checkpoint

    output = Output(as_json)
    attacks = [UniformNoise(epsilon), PGD(epsilon, steps=steps, draws=draws)]
    model, _ = load_checkpoint(checkpoint)
    report = check_parity(
        model,
        Program.load(program),
        load_digits()[1].first(images),
        trials=trials,
        attacks=attacks,
        seeds=(seed,),
        lava=False,
        margins=None,
        progress=output.progress,
    )
    output.table(report.table(), "Accuracy (95 % intervals over images)")
    for warning in report.warnings():
        output.say(f"Warning: {warning}")
    output.finish(report.as_dict())
