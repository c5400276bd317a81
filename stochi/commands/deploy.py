"""``stochi deploy``, from a NIR graph to a Program."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stochi.commands.console import Output
from stochi.commands.fitted_noise import (
    FitInputs,
    Reading,
    check_fit_source,
    fit_noise,
    is_fitted,
    read_for,
    refuse_fit_options,
)
from stochi.commands.options import (
    FIT_IMAGES_HELP,
    ChipOption,
    ConventionOption,
    DataDirOption,
    DataOption,
    EventsOption,
    GraphDtOption,
    JsonOption,
    NoiseOption,
    ResetOption,
    refuse,
    was_given,
)
from stochi.commands.portable import (
    Carried,
    CarriedInputsOption,
    DrawsSeedOption,
    DrawsTrialOption,
    FormatOption,
    SamplesOption,
    check_target,
    load_ready,
    write_folder,
)
from stochi.commands.recorded import recorded_warnings
from stochi.errors import InputError
from stochi.plain_text import decimal, signed

if TYPE_CHECKING:
    import nir

    from stochi.deploy import LayerFit
    from stochi.deploy.lowering.own_noise import NoiseError
    from stochi.hardware.decays import TableError
    from stochi.program import Program

FIT_LEGEND = """\
exponent      of the generator, which all neurons of the layer share
amplitude     of the noise, in the model's units of the membrane
threshold ×   factor of the thresholds
Measured with other draws than those of the fit:
rate error    of the layer, relative to drawn decays; a warning follows above 3 %
mean          squared difference of the mean input to the layers behind, in units of its variance
              over trials; best 0
spread ×      ratio of that variance to the one with drawn decays; best 1"""

GraphArgument = Annotated[
    Path,
    typer.Argument(help="NIR graph file of any framework; for --format lava also a Program."),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        help="Program to write, runs/NAME.program by default, or the folder, runs/NAME_lava by"
        " default."
    ),
]
TimeStepsOption = Annotated[
    int | None, typer.Option(help="Time steps of a sample; by default the graph's, else 8.")
]
BitsOption = Annotated[
    int | None,
    typer.Option(help="Bits of the decay tables, 1 to 8; by default the graph's, else 8."),
]
RandomSourceOption = Annotated[
    str,
    typer.Option(
        help="Source of the random bits: philox, or lfsr, a shift register like those of chips."
    ),
]
ImagesOption = Annotated[
    int | None, typer.Option("--images", "--calibration-images", help=FIT_IMAGES_HELP)
]
FittedOption = Annotated[
    Path | None,
    typer.Option(help="Program whose fitted noise is taken over, for a network tuned to it."),
]
OwnCalibrationOption = Annotated[
    Path | None,
    typer.Option(
        "--calibration",
        help="Own inputs that the noise is fitted to, in place of training images of --data: .npy,"
        " .npz or .pt, (batch, *shape) or (time steps, batch, *shape), without labels; not those"
        " that are tested. With other noise they show whether membranes leave their range.",
    ),
]


def deploy_command(
    context: typer.Context,
    graph: GraphArgument,
    *,
    out: OutOption = None,
    form: FormatOption = "program",
    chip: ChipOption = "loihi2",
    noise: NoiseOption = "decay",
    dt: GraphDtOption = None,
    time_steps: TimeStepsOption = None,
    bits: BitsOption = None,
    events: EventsOption = False,
    random_source: RandomSourceOption = "philox",
    convention: ConventionOption = None,
    reset: ResetOption = None,
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    calibration: OwnCalibrationOption = None,
    images: ImagesOption = None,
    fitted: FittedOption = None,
    inputs: CarriedInputsOption = None,
    samples: SamplesOption = 8,
    seed: DrawsSeedOption = 0,
    trial: DrawsTrialOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Lower a NIR graph to a Program: every number on the chip's grid."""
    output = Output(as_json)
    target = check_target(context, form, out, graph, fitted, calibration)
    carried = Carried(inputs, samples, seed, trial, data, data_dir)
    program = load_ready(context, graph, form)
    lowered = None
    if program is None:
        _check_given(context, form, noise, fitted, calibration, events, data)
        fit_inputs = FitInputs(calibration, data, data_dir, images)
        options: Reading = {
            "dt": dt,
            "time_steps": time_steps,
            "events": events,
            "random_source": random_source,
        }
        asked = _Asked(graph, chip, noise, bits, convention, reset, fitted, fit_inputs, options)
        lowered = _lower(asked, output)
        program = lowered.program
        if was_given(context, "random_source") and not program.is_random:
            raise InputError(
                f"--random-source {random_source}: this Program draws nothing; leave it out"
            )
    wrote = f"Wrote {target}"
    if form == "lava":
        wrote = write_folder(program, graph, target, carried)
    else:
        program.save(target)
    found = {"warnings": []} if lowered is None else _print_lowered(output, asked, lowered)
    output.line(wrote)
    output.finish({"folder" if form == "lava" else "program": str(target), **found})


@dataclass(frozen=True)
class _Asked:
    """Options of a lowering."""

    graph: Path
    chip: str
    noise: str
    bits: int | None
    convention: str | None
    reset: str | None
    fitted: Path | None
    fit_inputs: FitInputs
    options: Reading

    @property
    def fitting(self) -> bool:
        """Whether the noise is fitted here."""
        return is_fitted(self.noise) and self.fitted is None


@dataclass(frozen=True)
class _Lowered:
    """A Program, the graph as it was read, its fits of noise, and warnings."""

    program: "Program"
    graph: "nir.NIRGraph"
    fits: "tuple[LayerFit, ...]"
    fits_title: str
    warnings: list[str]


def _lower(asked: _Asked, output: Output) -> _Lowered:
    from stochi.deploy import Program, lower, read_graph, resolve_conventions
    from stochi.deploy.lowering.tables import check_table_bits
    from stochi.sim.inputs import InOrder

    chip, noise, fitted, options = asked.chip, asked.noise, asked.fitted, asked.options
    fits: tuple[LayerFit, ...] = ()
    fits_title = ""
    with recorded_warnings() as caught:
        read = resolve_conventions(
            read_graph(asked.graph),
            dt=options["dt"],
            convention=asked.convention,
            reset=asked.reset,
        )
        if asked.fitting:
            check_table_bits(noise, asked.bits)
            made = fit_noise(read, asked.fit_inputs, chip, noise, output.progress, options)
            program, fits, fits_title = made.program, made.fits, made.title
        else:
            known = None if fitted is None else Program.load(fitted)
            shown = None
            if asked.fit_inputs.file is not None:
                shown = InOrder(read_for(read, asked.fit_inputs, chip, noise, options)[0])
            program = lower(read, chip, noise, shown, fitted=known, bits=asked.bits, **options)
    return _Lowered(program, read, fits, fits_title, caught)


def _print_lowered(output: Output, asked: _Asked, lowered: _Lowered) -> dict[str, Any]:
    """Print tables, then warnings; return plain values of both."""
    found = _print_tables(output, lowered.graph, lowered.program, lowered.fits, lowered.fits_title)
    for message in lowered.warnings:
        output.line(f"Warning: {message}")
    if asked.fitted is not None:
        output.line(f"The noise is the one that was fitted for {asked.fitted}")
    return {"warnings": lowered.warnings, **found}


def _check_given(
    context: typer.Context,
    form: str,
    noise: str,
    fitted: Path | None,
    calibration: Path | None,
    events: bool,
    data: str,
) -> None:
    """Raise InputError for options that have no effect on this Program, or contradict others."""
    from stochi.data.catalogue import find_data_set

    if calibration is not None and not is_fitted(noise) and fitted is None and form != "lava":
        refuse(context, ("data", "data_dir"), "--calibration was given")
        return
    if not is_fitted(noise) or fitted is not None:
        names = ("images", "calibration", "data", "data_dir")
        # The samples that a folder carries along come from the set.
        refuse_fit_options(context, names[:2] if form == "lava" else names, ", without --fitted")
        return
    if calibration is not None:
        refuse(context, ("data", "data_dir"), "--calibration was given")
    elif not events and find_data_set(data).events:
        raise InputError(
            f"{data} consists of events, and the graph is lowered for images; add --events"
        )
    check_fit_source(noise, calibration, inputs=None, events=events, data=data)


def _print_tables(
    output: Output,
    graph: "nir.NIRGraph",
    program: "Program",
    fits: "tuple[LayerFit, ...]",
    fits_title: str,
) -> dict[str, Any]:
    """Print what was lowered and how far off it is; return plain values of it."""
    from stochi.commands.program_tables import (
        doubled_lines,
        layer_rows,
        named_cells,
        neurons_on_chip,
    )
    from stochi.deploy.graph.layers import cut_into_layers
    from stochi.deploy.lowering.own_noise import gate_errors, own_noise_errors
    from stochi.deploy.lowering.tables import decay_table_errors

    layers = layer_rows(program)
    output.table(layers, program.title)
    for line in doubled_lines(program):
        output.line(line)
    network = cut_into_layers(graph, program.target.dt)
    errors, noise = decay_table_errors(network, program), own_noise_errors(network, program)
    if errors:
        output.table(
            _error_rows(errors, program), "Decay tables compared with their distributions of λ"
        )
    if noise:
        output.table(
            _noise_rows(noise), "Noise of the chip's generator and of the network's neurons"
        )
    gates = gate_errors(network, program)
    for name, largest in gates.items():
        output.line(
            f"Gates {name}: a probability differs by {decimal(largest, 5)} at most on the chip"
        )
    if fits:
        output.table(_fit_rows(fits), fits_title)
        for line in FIT_LEGEND.splitlines():
            output.line(line)
    return {
        "convention": graph.metadata["convention"],
        "layers": named_cells(layers),
        "neurons_on_chip": neurons_on_chip(program),
        "decay_tables": {name: asdict(error) for name, error in errors.items()},
        "noise": {name: asdict(error) for name, error in noise.items()},
        "gates": gates,
        "fits": [asdict(fit) for fit in fits],
    }


def _error_rows(errors: "dict[str, TableError]", program: "Program") -> list[list[str]]:
    rows = [["layer", "levels", "mean", "spread", "largest distance"]]
    for name, error in errors.items():
        levels = len(program.layer(name).decay.values)
        cells = (signed(error.mean, 5), signed(error.spread, 5), decimal(error.largest, 5))
        rows.append([name, str(levels), *cells])
    return rows


def _noise_rows(errors: "dict[str, NoiseError]") -> list[list[str]]:
    rows = [["layer", "exponent", "deviation", "on the chip", "error"]]
    for name, error in errors.items():
        cells = (
            decimal(error.wanted, 5),
            decimal(error.found, 5),
            f"{signed(100 * error.relative, 3)}%",
        )
        rows.append([name, str(error.exponent), *cells])
    return rows


def _fit_rows(fits: "tuple[LayerFit, ...]") -> list[list[str]]:
    rows = [["layer", "exponent", "amplitude", "threshold ×", "rate error", "mean", "spread ×"]]
    for fit in fits:
        generator = fit.stand_in.generator
        rows.append(
            [
                fit.layer,
                "none" if generator is None else str(generator.exponent),
                decimal(fit.amplitude, 4),
                decimal(fit.stand_in.threshold_factor, 4),
                f"{signed(100 * fit.rate_error, 2)}%",
                decimal(fit.mean_error, 3),
                decimal(fit.spread_ratio, 3),
            ]
        )
    return rows
