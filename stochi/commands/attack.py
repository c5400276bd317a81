"""``stochi attack``"""

from pathlib import Path
from typing import Annotated

import typer

from stochi.commands.attacks import AttackOption, EpsilonsOption, read_attacks, read_epsilons
from stochi.commands.console import JsonOption, Output, SeedOption
from stochi.commands.data import (
    DataDirOption,
    DataOption,
    LoweredFromOption,
    load_compared,
)
from stochi.files import check_figure


def attack(
    context: typer.Context,
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint of 'stochi train'.")],
    program: Annotated[Path, typer.Argument(help="Program lowered from it, or tuned to it.")],
    attack: AttackOption = "pgd",
    epsilon: Annotated[float, typer.Option(help="Largest change of a pixel, in [0, 1].")] = 0.1,
    epsilons: EpsilonsOption = None,
    steps: Annotated[
        int | None,
        typer.Option(
            help="Of attacks that take steps; their own by default: PGD 20. AutoAttack's are those"
            " of its APGDs and FAB: the Square in auto-standard keeps its 2500."
        ),
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(help="EOT draws a step; their own by default: PGD 10, AutoAttack 20."),
    ] = None,
    restarts: Annotated[
        int | None, typer.Option(help="Of PGD, APGD, FAB and Square; 1 by default.")
    ] = None,
    images: Annotated[int, typer.Option(help="How many of the test images.")] = 128,
    trials: Annotated[int, typer.Option(help="Repetitions of each accuracy.")] = 10,
    figure: Annotated[
        Path | None, typer.Option(help="PNG to draw into: accuracy against ε.")
    ] = None,
    seed: SeedOption = 0,
    lowered_from: LoweredFromOption = None,
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Accuracy of the float model and of the chip under attacks, with EOT.

    Attacks that follow gradients are made on the float and on the hardware-aware model; those that
    ask for answers only, on the float model and on the Program itself. All are shown to all.

    Exit status 1 if the hardware-aware model does not compute the Program's integers.
    """
    from stochi.sim import check_parity
    from stochi.sim.report import ACCURACY_TITLE, DIFFERENCES_TITLE
    from stochi.sim.robustness_figure import draw_robustness

    output = Output(as_json)
    check_figure(figure)
    budgets = read_epsilons(context, epsilons, epsilon)
    attacks = read_attacks(attack, epsilon, steps, draws, restarts)
    model, lowered, origin, test = load_compared(checkpoint, program, lowered_from, data, data_dir)
    report = check_parity(
        model,
        lowered,
        test.first(images),
        lowered_from=origin,
        trials=trials,
        attacks=attacks,
        epsilons=budgets,
        seeds=(seed,),
        lava=False,
        margins=None,
        progress=output.progress,
    )
    output.table(report.table(), ACCURACY_TITLE)
    output.table(report.differences_table(), DIFFERENCES_TITLE)
    for warning in report.warnings():
        output.say(f"Warning: {warning}")
    if figure is not None:
        draw_robustness(report, figure)
        output.say(f"Wrote {figure}")
    output.finish(report.as_dict())
    if report.mismatches:
        raise typer.Exit(1)
