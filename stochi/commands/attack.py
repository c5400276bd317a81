"""``stochi attack``, on a float model and on its Program."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stochi.commands.attack_choice import (
    ON_EVENTS,
    DrawsOption,
    IterationsOption,
    RestartsOption,
    check_form,
    read_attacks,
    read_epsilons,
    read_strength,
    refuse_other_budgets,
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
from stochi.commands.habits import check_new_figure, check_new_output
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
    ResetOption,
    SeedOption,
    SurrogatesOption,
    TrialsOption,
    WeightsOption,
    draw_seeds,
    was_given,
)
from stochi.commands.output_names import named_after
from stochi.commands.parity import print_accuracy, print_wrapped
from stochi.errors import InputError
from stochi.plain_text import counted, in_percent

if TYPE_CHECKING:
    from stochi.attacks import Attack
    from stochi.parity import ParityReport

EpsilonOption = Annotated[float, typer.Option(help="ε, the largest change of a pixel, in [0, 1].")]
ImagesOption = Annotated[
    int, typer.Option(help="Number of test images; of your own inputs, all by default.")
]
FigureOption = Annotated[
    Path | None,
    typer.Option(help="Draw accuracy against ε into this file: SVG, PDF or PNG, as its name ends."),
]
OutOption = Annotated[Path | None, typer.Option(help="Report to write, as JSON, if any.")]
HtmlOption = Annotated[Path | None, typer.Option(help="HTML page of the report to write, if any.")]
AttackImagesOption = Annotated[
    int | None,
    typer.Option(help="Number of images that are attacked, from the front; by default all."),
]


def attack_command(
    context: typer.Context,
    model: ModelArgument,
    *,
    program: OptionalProgramArgument = None,
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
    images: ImagesOption = 128,
    trials: TrialsOption = 10,
    attack_images: AttackImagesOption = None,
    out: OutOption = None,
    html: HtmlOption = None,
    figure: FigureOption = None,
    seed: SeedOption = 0,
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
    """Measure the accuracy of a float model and of its Program under attacks, with EOT.

    Attacks that follow gradients are made on the float model and on the twin, others on the float
    model and on the Program; every side is shown all images. Exit status 1 if a value differs.
    """
    output, budgets, seeds = Output(as_json), read_epsilons(context), draw_seeds(seed)
    strength = read_strength(context)
    attacks = read_attacks(attack, epsilon, **strength)
    count = None if inputs is not None and not was_given(context, "images") else images
    asked = Asked(
        *(model, program, weights, lowered_from, inputs, labels, data, data_dir, count),
        *(dt, convention, reset, chip, noise, events, calibration, calibration_images),
    )
    _check_outputs(asked, out, html, figure)
    compared = _check_classes(load_compared(context, asked, output), labels or inputs)
    attacks = _fit_events(context, compared, attacks, strength)
    options = _options(model, trials, seeds, device, attack_images) | _exact(compared)
    report = with_command(compare_sides(output, compared, attacks, budgets, options), asked.shown)
    _finish(output, report, out, html, figure)


def _fit_events(
    context: typer.Context,
    compared: Compared,
    attacks: "list[Attack]",
    strength: dict[str, Any],
) -> "list[Attack]":
    """Return the attacks, or those on events if none was named and the Program takes events.

    Raises:
        InputError: an option says what none of them may change.
    """
    named, events = was_given(context, "attack"), compared.program.target.events
    if events and not named:
        attacks = read_attacks(ON_EVENTS, 0.0, **strength)
    refuse_other_budgets(context, attacks)
    if named:
        check_form(context.params["attack"], events)
    return attacks


def _check_outputs(asked: Asked, out: Path | None, html: Path | None, figure: Path | None) -> None:
    """Raise InputError unless all files can be written, and none replaces one that is read."""
    check_new_output(out, *asked.files(), html)
    check_new_output(html, *asked.files())
    check_new_figure(figure, *asked.files(), out, html)


def _options(
    model: str, trials: int, seeds: tuple[int, ...], device: str, attack_images: int | None
) -> dict[str, Any]:
    """Return the options of ``check_parity`` for accuracies alone."""
    options: dict[str, Any] = {"trials": trials, "seeds": seeds, "device": device}
    options["attack_images"] = attack_images
    keep = named_after(model, "_attack.unfinished")
    return options | {"lava": False, "margins": None, "keep": keep}


def _exact(compared: Compared) -> dict[str, int]:
    """Return the option that says how many inputs are compared value for value."""
    from stochi.parity.batch_sizes import fit_exact

    return {"exact_images": fit_exact(compared.program, len(compared.test))}


def _check_classes(compared: Compared, file: Path | None) -> Compared:
    """Return what is compared; raise InputError if it is a regression."""
    if compared.test.labels.is_floating_point():
        raise InputError(
            f"{file}: the labels are numbers to be met, and attacks make a network answer with a"
            " wrong class; compare errors with 'stochi parity --epsilon 0'"
        )
    return compared


def _finish(
    output: Output,
    report: "ParityReport",
    out: Path | None,
    html: Path | None,
    figure: Path | None,
) -> None:
    """Print a report, write and draw it, and end the command.

    Raises:
        typer.Exit: with status 1, if a value differs.
    """
    from stochi.parity import draw_robustness

    print_accuracy(output, report)
    print_wrapped(output, found_words(report))
    for warning in report.warnings():
        print_wrapped(output, f"Warning: {warning}")
    if out is not None:
        report.save(out)
    if html is not None:
        report.to_html(html)
    if figure is not None:
        draw_robustness(report, figure)
    for written in (out, html, figure):
        if written is not None:
            output.line(f"Wrote {written}")
    output.finish(report.to_json())
    if report.mismatches:
        raise typer.Exit(1)


def found_words(report: "ParityReport") -> str:
    """Return what the attacks found, in sentences: the row that a verdict looks at."""
    from stochi.parity.report.verdict import strongest
    from stochi.parity.results import CHIP, FLOAT
    from stochi.parity.words import points

    clean, lowest = report.accuracy[0], strongest(report.accuracy)
    if lowest is None:
        return "Nothing was attacked."
    chip, own = lowest.sides[CHIP], lowest.sides[FLOAT]
    before = (clean.sides[CHIP].value, clean.sides[FLOAT].value)
    if chip.value >= before[0]:
        return (
            f"No attack lowered the chip's accuracy, {in_percent(before[0], 1)} clean; attacks at a"
            " larger budget, or with more iterations, may."
        )
    apart = lowest.differences["chip_minus_float"]
    return (
        f"At the lowest, under {lowest.attack}, the chip is right on"
        f" {in_percent(chip.value, 1)} of {counted(chip.images, 'image')} and the float model on"
        f" {in_percent(own.value, 1)}; clean, on {in_percent(before[0], 1)} and"
        f" {in_percent(before[1], 1)}. Chip − float: {points(apart)} points."
    )
