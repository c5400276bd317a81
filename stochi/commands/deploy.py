"""``stochi deploy``"""

import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stochi.commands.console import JsonOption, Output, was_given
from stochi.commands.data import DataDirOption, DataOption
from stochi.errors import InputError
from stochi.files import check_output

FIT_LEGEND = """\
exponent      of the generator, which all neurons of the layer share
amplitude     of the noise, in the membrane's units
threshold ×   what the thresholds are multiplied by
What is left, with other draws than the fit's:
rate error    of the layer, relative to drawn decays; over 3 % it is warned of
mean          squared shift of what the layers behind receive, in its variances over trials; best 0
spread ×      ratio of these variances, to those with drawn decays; best 1"""

if TYPE_CHECKING:
    from stochi.deploy.calibration import LayerFit
    from stochi.deploy.program import Layer, Program
    from stochi.hardware.decays import TableError


def deploy(
    context: typer.Context,
    graph: Annotated[Path, typer.Argument(help="NIR graph file, of any framework.")],
    out: Annotated[Path, typer.Option(help="Program to write.")] = Path("runs/model.program"),
    chip: Annotated[
        str, typer.Option(help="loihi2, or loihi1, which takes --events only.")
    ] = "loihi2",
    noise: Annotated[
        str,
        typer.Option(
            help="In place of drawing τ: decay (exact), membrane or current (the stock generator,"
            " fitted to training images), or none (mean τ)."
        ),
    ] = "decay",
    dt: Annotated[float | None, typer.Option(help="Seconds a step, if the graph lacks it.")] = None,
    steps: Annotated[int | None, typer.Option(help="Time steps a sample lasts.")] = None,
    bits: Annotated[
        int | None, typer.Option(help="Of the decay tables, 1 to 8; else as the graph says, or 8.")
    ] = None,
    events: Annotated[bool, typer.Option(help="The input is binary events, not images.")] = False,
    random_source: Annotated[
        str,
        typer.Option(help="Of the random bits: philox, or lfsr (a shift register, as on chips)."),
    ] = "philox",
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    images: Annotated[int, typer.Option(help="Training images that noise is fitted to.")] = 256,
    calibration: Annotated[
        Path | None,
        typer.Option(help="Program whose fitted noise is taken over, for a tuned network."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Lower a NIR graph to a Program: every number on the chip's grid."""
    from stochi.data import load
    from stochi.deploy import (
        CalibrationWarning,
        MergedDecays,
        MergedThresholds,
        Program,
        calibrate,
        lower,
    )
    from stochi.deploy.decay_tables import decay_table_errors
    from stochi.deploy.program import NOISE_TARGETS
    from stochi.deploy.real_layers import cut_into_layers
    from stochi.deploy.table_bits import check_table_bits
    from stochi.graph_file import read_graph

    output = Output(as_json)
    check_output(out)
    fitting = noise in NOISE_TARGETS and calibration is None
    _check_given(context, fitting, events, noise)
    read = read_graph(graph)
    options: dict[str, Any] = {
        "dt": dt,
        "steps": steps,
        "events": events,
        "random_source": random_source,
    }
    fits: tuple[LayerFit, ...] = ()
    with warnings.catch_warnings(record=True) as caught:
        for told in (CalibrationWarning, MergedDecays, MergedThresholds):
            warnings.simplefilter("always", told)
        if fitting:
            check_table_bits(noise, bits)
            shown = load(data, data_dir)[0].first(images).inputs
            program, fits = calibrate(read, shown, chip, noise, progress=output.progress, **options)
        else:
            fitted = None if calibration is None else Program.load(calibration)
            program = lower(read, chip, noise, fitted, bits=bits, **options)
    if was_given(context, "random_source") and not program.draws:
        raise InputError(
            f"--random-source {random_source}: this Program draws nothing; leave it out"
        )
    program.save(out)
    rows = [["layer", "neurons", "kind", "from", "weight exponent", "threshold", "scale"]]
    for layer in program.layers:
        threshold = layer.threshold_mantissa
        rows.append(
            [
                layer.name,
                "×".join(map(str, layer.shape)),
                _kind(layer),
                ", ".join(synapses.source for synapses in layer.synapses),
                ", ".join(str(synapses.weight_exponent) for synapses in layer.synapses),
                "–" if threshold is None else f"{int(threshold.min())} … {int(threshold.max())}",
                f"{layer.scale:.1f}",
            ]
        )
    output.table(rows, f"Program for {chip}, noise {noise}, {program.steps} steps")
    tables = decay_table_errors(cut_into_layers(read, program.dt), program)
    if tables:
        output.table(_table_rows(tables, program), "Decay tables against their distributions of λ")
    if fits:
        output.table(_fit_rows(fits), f"Fitted to {images} training images of {data}")
        output.say(FIT_LEGEND)
    for warning in caught:
        output.say(f"Warning: {warning.message}")
    if calibration is not None:
        output.say(f"The noise is that which {calibration} was fitted with")
    output.say(f"Wrote {out}")
    output.finish(
        {
            "program": str(out),
            "layers": [dict(zip(rows[0], r, strict=True)) for r in rows[1:]],
            "decay_tables": {name: asdict(error) for name, error in tables.items()},
            "fits": [asdict(fit) for fit in fits],
            "warnings": [str(warning.message) for warning in caught],
        }
    )


def _check_given(context: typer.Context, fitting: bool, events: bool, noise: str) -> None:
    """Raise InputError for options that this Program has no use for."""
    for name in ("images", "data", "data_dir"):
        if not fitting and was_given(context, name):
            raise InputError(
                f"--{name.replace('_', '-')} is of noise that is fitted to images (--noise membrane"
                " or current, without --calibration); leave it out"
            )
    if fitting and events:
        raise InputError(
            f"noise {noise!r} is fitted to what the network will see, here events, and the data"
            " sets here are images; fit it from Python: stochi.deploy.calibrate(graph, events)"
        )


def _table_rows(tables: "dict[str, TableError]", program: "Program") -> list[list[str]]:
    rows = [["layer", "levels", "mean", "spread", "largest distance"]]
    for name, error in tables.items():
        levels = len(program.layer(name).decay.values)
        errors = (f"{error.mean:+.5f}", f"{error.spread:+.5f}", f"{error.largest:.5f}")
        rows.append([name, str(levels), *errors])
    return rows


def _fit_rows(fits: "tuple[LayerFit, ...]") -> list[list[str]]:
    """What was fitted, and what is left."""
    rows = [["layer", "exponent", "amplitude", "threshold ×", "rate error", "mean", "spread ×"]]
    for fit in fits:
        generator = fit.stand_in.generator
        rows.append(
            [
                fit.layer,
                "none" if generator is None else str(generator.exponent),
                f"{fit.amplitude:.4f}",
                f"{fit.stand_in.threshold_factor:.4f}",
                f"{fit.rate_error:+.2%}",
                f"{fit.mean_error:.3f}",
                f"{fit.spread_ratio:.3f}",
            ]
        )
    return rows


def _kind(layer: "Layer") -> str:
    from stochi.hardware.fixed_point import DECAY_UNITY

    decay = layer.decay
    if not layer.spikes:
        return "integrator" if int(decay.values.min()) == DECAY_UNITY else "leaky integrator"
    kind = "random τ" if decay.drawn else "LIF"
    if layer.generator is not None:
        kind += f" + {layer.generator.target} noise"
    if layer.current_keep is not None:
        kind += ", current-based"
    return kind + (", programmable" if decay.programmable or layer.subtract else ", stock")
