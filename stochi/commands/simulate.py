"""``stochi simulate``, a Program on test images."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stochi.commands.console import Output
from stochi.commands.data import Taken, inputs_of, load_test, samples_of
from stochi.commands.habits import check_new_output
from stochi.commands.options import (
    DataDirOption,
    DataOption,
    DeviceOption,
    ImagesOption,
    InputsOption,
    JsonOption,
    LabelsOption,
    ProgramArgument,
    SeedOption,
    TrialOption,
    check_there,
    refuse,
    was_given,
)
from stochi.commands.own_inputs import hint_at_events, read_program_inputs
from stochi.commands.recorded import recorded_warnings
from stochi.devices import check_device
from stochi.errors import InputError
from stochi.plain_text import decimal, in_percent

if TYPE_CHECKING:
    import torch

    from stochi.data.samples import Samples
    from stochi.program import Program
    from stochi.sim import Record

FORMATS = ("npz", "nir")
LISTED = 5
"""Largest number of classes in a line."""

BackendOption = Annotated[str, typer.Option(help="engine (fast) or lava (the reference).")]
OutOption = Annotated[Path | None, typer.Option(help="Write spikes and membranes, see --format.")]
FormatOption = Annotated[
    str,
    typer.Option(
        "--format",
        help="Format of --out: npz, an archive of numpy, or nir, NIRData for other tools.",
    ),
]
ProbeFolderOption = Annotated[
    Path | None,
    typer.Option(help="Folder that spikes and membranes are recorded into, on disk (.npy)."),
]


def simulate_command(
    context: typer.Context,
    program: ProgramArgument,
    *,
    inputs: InputsOption = None,
    labels: LabelsOption = None,
    backend: BackendOption = "engine",
    images: ImagesOption = 64,
    seed: SeedOption = 0,
    trial: TrialOption = 0,
    out: OutOption = None,
    form: FormatOption = "npz",
    probe_folder: ProbeFolderOption = None,
    device: DeviceOption = "cpu",
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a Program on test inputs or on your own, on the engine or on Lava."""
    from stochi.data.batches import in_memory
    from stochi.program import Program
    from stochi.sim import run
    from stochi.sim.inputs import InOrder
    from stochi.sim.recording import PROBES

    output = Output(as_json)
    _check_target(context, form, out, program, inputs, labels)
    loaded = Program.load(program)
    expected: Samples | None
    if inputs is None:
        refuse(context, ("labels",), "it belongs to --inputs")
        test = load_test(data, data_dir, Taken.by_program(program, loaded))
        expected = in_memory(test.first(images))
        shown = expected.inputs
    else:
        refuse(context, ("data", "data_dir"), "--inputs was given")
        count = images if was_given(context, "images") else None
        shown, expected = _read_own(output, loaded, inputs, labels, count)
    record = run(
        loaded,
        InOrder(shown),
        backend,
        seed=seed,
        trial=trial,
        probes=PROBES,
        device=check_device(device),
        progress=output.counter(backend),
        probe_folder=probe_folder,
    )
    ran = len(record.logits)
    on = samples_of(data, ran) if inputs is None else inputs_of(inputs, ran)
    how = f"{on}, {backend}, seed {seed}, trial {trial}"
    found = _print_answers(output, loaded, record, expected, how)
    if out is not None:
        output.line(_save(record, loaded, out, form))
    found |= {} if inputs is None else {"predictions": record.predictions().tolist()}
    output.finish({"seed": seed, "trial": trial, **found})


def _read_own(
    output: Output, program: "Program", inputs: Path, labels: Path | None, count: int | None
) -> "tuple[torch.Tensor, Samples | None]":
    """Read a user's inputs, also with labels if there are some; print warnings about them."""
    with recorded_warnings() as caught:
        found = read_program_inputs(program, inputs, labels, count)
    for message in caught:
        output.warning(message)
    hint_at_events(program, found[0], output)
    return found


def _check_target(context: typer.Context, form: str, out: Path | None, *read: Path | None) -> None:
    """Raise InputError unless the record can be written, in a known format.

    Args:
        read: files that the command reads.
    """
    if form not in FORMATS:
        raise InputError(f"--format is {form!r}; choose from {', '.join(FORMATS)}")
    if out is None and was_given(context, "form"):
        raise InputError(f"--format {form}: it belongs to --out; leave it out")
    check_new_output(out, *read)
    check_there(*read)


def _save(record: "Record", program: "Program", out: Path, form: str) -> str:
    from stochi.sim import write_nir_data

    if form == "nir":
        write_nir_data(record, program, out)
    else:
        record.save(out)
    return f"Wrote {out}"


def _print_answers(
    output: Output, program: "Program", record: "Record", expected: "Samples | None", how: str
) -> dict[str, Any]:
    """Print firing rates, and the accuracy or what was predicted; return plain values of them.

    Args:
        program: what ran.
        record: its record, with all probes.
        expected: what was shown with its labels, if there are some; labels of every time step are
            compared with the output of every time step.
        how: what was shown and how it ran, for the line of the result.
    """
    predicted = record.predictions()
    rates = {name: float(s.double().mean()) for name, s in record.spikes.items()}
    for name, rate in rates.items():
        output.line(f"  {name}: {decimal(rate, 4)} spikes per neuron and time step")
    if expected is None:
        output.line(f"Predicted {_counted(predicted)} on {how}")
        return {"firing_rates": rates}
    from stochi.parity.records.outputs import outputs_over_time
    from stochi.parity.scores import estimate_score, score_answers

    by_step = expected.labels.dim() == 3
    answers = outputs_over_time(program, record) if by_step else record.logits
    score = estimate_score(score_answers(answers, expected)[None])
    if expected.regression:
        interval = f"[{score.low:.4g}, {score.high:.4g}]"
        output.line(f"Mean squared error {score.value:.4g} {interval} on {how}")
        return {"firing_rates": rates, "error": asdict(score)}
    interval = f"[{in_percent(score.low, 1)}, {in_percent(score.high, 1)}]"
    output.line(f"Accuracy {in_percent(score.value, 1)} {interval} on {how}")
    return {"firing_rates": rates, "accuracy": asdict(score)}


def _counted(predictions: "torch.Tensor") -> str:
    """Return how often each class was predicted, the most frequent ones first."""
    counts = Counter(predictions.tolist()).most_common()
    shown = ", ".join(f"class {name}: {count}" for name, count in counts[:LISTED])
    return shown + (f" and {len(counts) - LISTED} other classes" if counts[LISTED:] else "")
