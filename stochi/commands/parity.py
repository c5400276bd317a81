"""``stochi parity``, a float model beside its Program."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stochi.commands.attack_choice import (
    OF_ATTACKS,
    ON_EVENTS,
    DrawsOption,
    IterationsOption,
    RestartsOption,
    check_form,
    read_attacks,
    read_epsilons,
    read_strength,
)
from stochi.commands.compared import Asked, Compared, compare_sides, load_compared
from stochi.commands.console import Output
from stochi.commands.dated import with_command
from stochi.commands.event_budget import (
    FlipsOption,
    KindsOption,
    MaxDelayOption,
    RefractoryOption,
    ShareOption,
)
from stochi.commands.habits import check_new_output
from stochi.commands.options import (
    AttackOption,
    CalibrationImagesOption,
    CalibrationOption,
    ChipOption,
    ConventionOption,
    DataDirOption,
    DataOption,
    DeviceOption,
    EpsilonsOption,
    EventsOption,
    GraphDtOption,
    InputsOption,
    JsonOption,
    LabelsOption,
    LoweredFromOption,
    ModelArgument,
    NoiseOption,
    OptionalProgramArgument,
    ParitySeedOption,
    ResetOption,
    SurrogatesOption,
    TrialsOption,
    WeightsOption,
    draw_seeds,
    was_given,
)
from stochi.commands.output_names import named_after
from stochi.errors import InputError
from stochi.files import is_written_through

if TYPE_CHECKING:
    from stochi.attacks import Attack
    from stochi.parity import ParityReport

OutOption = Annotated[
    Path | None,
    typer.Option(help="Report to write, as JSON.", show_default="runs/NAME_report.json"),
]
HtmlOption = Annotated[
    Path | None,
    typer.Option(help="HTML page of the report to write; by default it lies beside the report."),
]
ImagesOption = Annotated[
    int | None, typer.Option(help="Number of test images; all of them by default.")
]
ExactOption = Annotated[int, typer.Option(help="Number of images compared value for value.")]
EpsilonOption = Annotated[
    float, typer.Option(help="ε, the largest change of a pixel, in [0, 1]; 0 for no attack.")
]
AttackImagesOption = Annotated[int, typer.Option(help="Number of images that are attacked.")]
AblationOption = Annotated[
    bool,
    typer.Option(
        "--ablation",
        help="Also switch on each of the chip's properties alone in the float model, on all images"
        " and on those that the last of the attacks makes at the largest ε.",
    ),
]
ATTACK_IMAGES = 128
"""Number of images that are attacked unless the user says otherwise."""
LavaOption = Annotated[bool, typer.Option(help="Run Lava beside the engine.")]


def parity_command(
    context: typer.Context,
    model: ModelArgument,
    *,
    program: OptionalProgramArgument = None,
    out: OutOption = None,
    html: HtmlOption = None,
    trials: TrialsOption = 10,
    images: ImagesOption = None,
    exact: ExactOption = 64,
    seed: ParitySeedOption = 0,
    attack: AttackOption = "auto-snn",
    epsilon: EpsilonOption = 0.1,
    epsilons: EpsilonsOption = None,
    iterations: IterationsOption = None,
    draws: DrawsOption = None,
    restarts: RestartsOption = None,
    surrogates: SurrogatesOption = None,
    flips: FlipsOption = None,
    share: ShareOption = None,
    kinds: KindsOption = None,
    max_delay: MaxDelayOption = 0,
    refractory: RefractoryOption = 0,
    attack_images: AttackImagesOption = ATTACK_IMAGES,
    ablation: AblationOption = False,
    lava: LavaOption = True,
    lowered_from: LoweredFromOption = None,
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    weights: WeightsOption = None,
    inputs: InputsOption = None,
    labels: LabelsOption = None,
    dt: GraphDtOption = None,
    convention: ConventionOption = None,
    reset: ResetOption = None,
    device: DeviceOption = "cpu",
    chip: ChipOption = "loihi2",
    noise: NoiseOption = "decay",
    events: EventsOption = False,
    calibration: CalibrationOption = None,
    calibration_images: CalibrationImagesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare a float model with its Program on test images, or on your own inputs.

    Twin, engine and Lava value for value; float model and Program in distribution and accuracy,
    clean and, unless told otherwise, under AutoAttack for SNNs. Exit status 1 if a value differs.
    """
    output, seeds = Output(as_json), _check_numbers(exact, attack_images, seed)
    asked = Asked(
        *(model, program, weights, lowered_from, inputs, labels, data, data_dir, images),
        *(dt, convention, reset, chip, noise, events, calibration, calibration_images),
    )
    report_file, page = _check_outputs(asked, out, html)
    attacks, budgets = _read_attacks(context)
    compared = load_compared(context, asked, output)
    attacks = _that_fit(context, output, compared, attacks)
    options = _options(report_file, exact, attack_images, lava, trials, seeds, device)
    report = _compare(output, compared, attacks, budgets, options, ablation)
    _finish(output, with_command(report, asked.shown), report_file, page)


def _check_numbers(exact: int, attack_images: int, seed: int) -> tuple[int, ...]:
    """Return the seeds of the draws.

    Raises:
        InputError: a seed is out of range, or no input is compared, or none attacked.
    """
    if exact < 1:
        raise InputError(f"--exact is {exact}; it must be at least 1")
    if attack_images < 1:
        raise InputError(
            f"--attack-images is {attack_images}; it must be at least 1, and is {ATTACK_IMAGES} if"
            " left out; --epsilon 0 leaves attacks out"
        )
    return draw_seeds(seed, 2)


def _page_of(out: Path) -> Path | None:
    """Return the page beside a report, None beside a page, or what is no file."""
    if out.suffix == ".html" or is_written_through(out):
        return None
    return out.with_suffix(".html")


def _kept_beside(report: Path) -> Path | None:
    """Return the folder beside a report in which attacked images are kept until it is written."""
    from stochi.parity.kept_images import ENDING

    return None if is_written_through(report) else report.with_name(report.name + ENDING)


def _check_outputs(asked: Asked, out: Path | None, html: Path | None) -> tuple[Path, Path | None]:
    """Return the report and the page to write.

    Raises:
        InputError: one of them would replace a file, or cannot be written.
    """
    report = named_after(asked.model, "_report.json") if out is None else out
    page = _page_of(report) if html is None else html
    check_new_output(report, *asked.files(), page)
    check_new_output(page, *asked.files())
    return report, page


def _options(
    report: Path,
    exact: int,
    attack_images: int,
    lava: bool,
    trials: int,
    seeds: tuple[int, ...],
    device: str,
) -> dict[str, Any]:
    """Return the options of ``check_parity``."""
    options: dict[str, Any] = {"exact_images": exact, "attack_images": attack_images, "lava": lava}
    options["keep"] = _kept_beside(report)
    return options | {"trials": trials, "seeds": seeds, "device": device}


def _names_attacks(context: typer.Context) -> bool:
    """Return whether the user asks for attacks."""
    return any(was_given(context, option) for option in ("attack", "epsilons", *OF_ATTACKS))


def _finish(output: Output, report: "ParityReport", out: Path, page: Path | None) -> None:
    """Write a report, also as a page if that has a name, print it and end the command."""
    report.save(out)
    written = f"{out}"
    if page is not None:
        report.to_html(page)
        written += f" and {page}"
    finish_report(output, report, written)


def finish_report(output: Output, report: "ParityReport", written: str) -> None:
    """Print a report's verdict, tables, costs, the verdict in full, and warnings; end the command.

    Raises:
        typer.Exit: with status 1, if a value differs.
    """
    from stochi.parity.ablation_results import ABLATION_TITLE
    from stochi.parity.report import tables
    from stochi.parity.report.cost_words import cost_line

    print_wrapped(output, report.verdict.headline)
    output.line("")
    print_accuracy(output, report)
    if report.ablation is not None:
        output.table(report.ablation_table(), ABLATION_TITLE)
    if report.distribution is not None:
        output.table(report.distribution_table(), tables.DISTRIBUTION_TITLE)
    output.table(report.exact_table(), tables.EXACT_TITLE)
    output.line(f"{report.mismatches:,} mismatches in {report.compared:,} compared values")
    costs = cost_line(report.costs)
    for text in (costs, report.verdict.text):
        if text is not None:
            print_wrapped(output, text)
    for warning in report.warnings():
        print_wrapped(output, f"Warning: {warning}")
    output.line(f"Wrote {written}")
    output.finish(report.to_json())
    if report.mismatches:
        raise typer.Exit(1)


def print_wrapped(output: Output, text: str) -> None:
    """Print text in lines that fit the terminal."""
    from stochi.parity.terminal import terminal_width, wrap

    for line in wrap(text, terminal_width()):
        output.line(line)


def print_accuracy(output: Output, report: "ParityReport") -> None:
    """Print accuracies or errors, differences, and which part of an attack made the images."""
    from stochi.parity.report import tables

    output.table(report.table(), report.title)
    rows = report.differences_table()
    if len(rows) > 1:
        flips_only = not set(rows[0]) & set(tables.DIFFERENCES.values())
        output.table(rows, tables.FLIPS_TITLE if flips_only else tables.DIFFERENCES_TITLE)
    if len(parts := report.parts_table()) > 1:
        output.table(parts, tables.PARTS_TITLE, text_columns=2)


def _read_attacks(context: typer.Context) -> "tuple[list[Attack], list[float]]":
    """Make the attacks, none if every ε is 0; also return every ε.

    Raises:
        InputError: attacks were asked for and every ε is 0, or as :func:`read_attacks`.
    """
    given = context.params
    budgets = read_epsilons(context)
    strength = read_strength(context)
    if any(budgets):
        return read_attacks(given["attack"], budgets[0], **strength), budgets
    if _names_attacks(context):
        raise InputError(
            "an ε of 0 is not an attack; give one above 0, or give --epsilon 0 for none and leave"
            " the options of attacks out"
        )
    return [], budgets


def _that_fit(
    context: typer.Context, output: Output, compared: Compared, attacks: "list[Attack]"
) -> "list[Attack]":
    """Return the attacks; none if nobody asked for them and they do not fit the network.

    Raises:
        InputError: they were asked for, and change what the Program does not take.
    """
    if _names_attacks(context):
        check_form(context.params["attack"], compared.program.target.events)
        return attacks
    reason = None
    if compared.regression:
        reason = "the labels are numbers, not classes"
    elif compared.program.target.events:
        reason = f"the Program takes events; name attacks on them, as --attack {ON_EVENTS}"
    if attacks and reason is not None:
        output.line(f"No attack: {reason}")
        return []
    return attacks


def _compare(
    output: Output,
    compared: Compared,
    attacks: "list[Attack]",
    budgets: list[float],
    options: dict[str, Any],
    ablation: bool,
) -> "ParityReport":
    """Return the report, with an ablation of its trials and its first seed if one is asked for.

    The ablation is under the last of the attacks, at the largest ε.
    """
    from stochi.parity import ablate
    from stochi.parity.attacked import at_each_epsilon

    report = compare_sides(output, compared, attacks, budgets, options)
    if not ablation:
        return report
    found = ablate(
        *compared.sides,
        attack=at_each_epsilon(attacks[-1:], [max(budgets)])[0] if attacks else None,
        attack_images=options["attack_images"],
        trials=report.configuration.trials,
        seed=report.configuration.seeds[0],
        progress=output.progress,
    )
    return replace(report, ablation=found)
