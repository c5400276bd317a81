"""``stochi attack``"""

from pathlib import Path
from typing import Annotated

import typer

from stochi.commands.console import JsonOption, Output, SeedOption
from stochi.commands.data import (
    DataDirOption,
    DataOption,
    LoweredFromOption,
    load_test_images,
)


def attack(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint of 'stochi train'.")],
    program: Annotated[Path, typer.Argument(help="Program lowered from it, or tuned to it.")],
    epsilon: Annotated[float, typer.Option(help="Largest change of a pixel, in [0, 1].")] = 0.1,
    steps: Annotated[int, typer.Option(help="PGD steps.")] = 20,
    draws: Annotated[int, typer.Option(help="EOT draws a step.")] = 10,
    images: Annotated[int, typer.Option(help="How many of the test images.")] = 128,
    trials: Annotated[int, typer.Option(help="Repetitions of each accuracy.")] = 10,
    seed: SeedOption = 0,
    lowered_from: LoweredFromOption = None,
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Accuracy under PGD with EOT, made on the float and on the hardware-aware model."""
    from stochi.attacks import PGD, UniformNoise
    from stochi.deploy import Program
    from stochi.hardware.fixed_point import GRADED_INPUT_MAX
    from stochi.sim import check_parity
    from stochi.train.checkpoint import NetworkConfig, load_checkpoint

    output = Output(as_json)
    attacks = [
        UniformNoise(epsilon, grid=GRADED_INPUT_MAX),
        PGD(epsilon, steps=steps, draws=draws, grid=GRADED_INPUT_MAX),
    ]
    model, content = load_checkpoint(checkpoint)
    network = NetworkConfig.from_dict(content["network"])
    lowered = Program.load(program)
    test = load_test_images(data, data_dir, checkpoint, network.input_shape, network.classes)
    report = check_parity(
        model,
        lowered,
        test.first(images),
        lowered_from=None if lowered_from is None else load_checkpoint(lowered_from)[0],
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
