"""``stochi parity``"""

from pathlib import Path
from typing import Annotated

import typer

from stochi.commands.attacks import AttackOption, EpsilonsOption, read_attacks, read_epsilons
from stochi.commands.console import JsonOption, Output, SeedOption, was_given
from stochi.commands.data import (
    DataDirOption,
    DataOption,
    LoweredFromOption,
    load_compared,
)
from stochi.errors import InputError
from stochi.files import check_output


def parity(
    context: typer.Context,
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint of 'stochi train'.")],
    program: Annotated[Path, typer.Argument(help="Program lowered from it, or tuned to it.")],
    out: Annotated[Path, typer.Option(help="Report to write.")] = Path("runs/report.json"),
    html: Annotated[Path | None, typer.Option(help="Write the report as a page, too.")] = None,
    trials: Annotated[int, typer.Option(help="Repetitions of each accuracy.")] = 10,
    images: Annotated[
        int | None, typer.Option(help="How many test images; all by default.")
    ] = None,
    exact: Annotated[int, typer.Option(help="Images compared value for value.")] = 64,
    seed: SeedOption = 0,
    attack: AttackOption = "pgd",
    epsilon: Annotated[float, typer.Option(help="ε in [0, 1]; 0 for no attack.")] = 0.1,
    epsilons: EpsilonsOption = None,
    attack_images: Annotated[int, typer.Option(help="How many images are attacked.")] = 128,
    ablation: Annotated[
        bool,
        typer.Option(
            "--ablation",
            help="Also switch on each of the chip's properties alone in the float model, on all"
            " images and on those that the last attack named moves by the largest ε.",
        ),
    ] = False,
    lava: Annotated[bool, typer.Option(help="Run Lava, or the engine alone.")] = True,
    lowered_from: LoweredFromOption = None,
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare a network with its Program on test images: value for value, in distribution, and in
    accuracy.

    Exit status 1 if a single value differs.
    """
    from stochi.sim import ablate, check_parity

    output = Output(as_json)
    check_output(out)
    check_output(html)
    budgets = read_epsilons(context, epsilons, epsilon)
    if not any(budgets) and (epsilons is not None or was_given(context, "attack")):
        raise InputError(
            "an ε of 0 is no attack; give one above 0, or leave --attack and --epsilons out and"
            " give --epsilon 0 for none"
        )
    attacks = read_attacks(attack, epsilon) if any(budgets) else []
    model, lowered, origin, test = load_compared(checkpoint, program, lowered_from, data, data_dir)
    shown = test if images is None else test.first(images)
    report = check_parity(
        model,
        lowered,
        shown,
        lowered_from=origin,
        trials=trials,
        attacks=attacks,
        epsilons=budgets if attacks else None,
        seeds=(seed, seed + 1),
        exact_images=exact,
        attack_images=attack_images,
        lava=lava,
        progress=output.progress,
    )
    if ablation:
        report.ablation = ablate(
            model,
            lowered,
            shown,
            attack=attacks[-1].with_budget(max(budgets)) if attacks else None,
            attack_images=attack_images,
            trials=trials,
            seed=seed,
            progress=output.progress,
        ).as_dict()
    report.save(out)
    if html is not None:
        report.to_html(html)
    show_report(output, report)
    output.say(f"Wrote {out}" + ("" if html is None else f" and {html}"))
    output.finish(report.as_dict())
    if report.mismatches:
        raise typer.Exit(1)


def show_report(output: Output, report) -> None:  # type: ignore[no-untyped-def]
    """The report's tables and its warnings."""
    from stochi.sim.report import (
        ABLATION_TITLE,
        ACCURACY_TITLE,
        DIFFERENCES_TITLE,
        DISTRIBUTION_TITLE,
    )

    output.table(report.table(), ACCURACY_TITLE)
    output.table(report.differences_table(), DIFFERENCES_TITLE)
    if report.ablation is not None:
        output.table(report.ablation_table(), ABLATION_TITLE)
    if report.distribution is not None:
        output.table(report.distribution_table(), DISTRIBUTION_TITLE, text_columns=2)
    output.table(report.exact_table(), "Value for value")
    output.say(f"{report.mismatches:,} mismatches in {report.compared:,} compared values")
    for warning in report.warnings():
        output.say(f"Warning: {warning}")
