"""``stochi simulate``, a Program on test images."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from stochi.commands.console import Output
from stochi.commands.data import load_program_for_images, load_test_images
from stochi.commands.options import (
    DataDirOption,
    DataOption,
    DeviceOption,
    JsonOption,
    ProgramArgument,
    SeedOption,
)
from stochi.devices import check_device
from stochi.files import check_output

BackendOption = Annotated[str, typer.Option(help="engine (fast) or lava (the reference).")]
ImagesOption = Annotated[int, typer.Option(help="Number of test images.")]
TrialOption = Annotated[
    int, typer.Option(help="Number of the repetition; another one has other draws.")
]
OutOption = Annotated[Path | None, typer.Option(help="Write spikes and membranes (.npz).")]
ProbeFolderOption = Annotated[
    Path | None,
    typer.Option(help="Folder that spikes and membranes are recorded into, on disk (.npy)."),
]


def simulate_command(
    program: ProgramArgument,
    *,
    backend: BackendOption = "engine",
    images: ImagesOption = 64,
    seed: SeedOption = 0,
    trial: TrialOption = 0,
    out: OutOption = None,
    probe_folder: ProbeFolderOption = None,
    device: DeviceOption = "cpu",
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a Program on a data set's test images, on the engine or on Lava."""
    from stochi.sim import run
    from stochi.sim.recording import PROBES
    from stochi.statistics.intervals import estimate_accuracy

    output = Output(as_json)
    check_output(out, program)
    loaded = load_program_for_images(program)
    test = load_test_images(data, data_dir, program, loaded.input_shape, loaded.classes)
    shown = test.first(images)
    record = run(
        loaded,
        shown.inputs,
        backend,
        seed=seed,
        trial=trial,
        probes=PROBES,
        device=check_device(device),
        progress=output.counter(backend),
        probe_folder=probe_folder,
    )
    accuracy = estimate_accuracy((record.predictions() == shown.labels)[None])
    rates = {name: float(s.double().mean()) for name, s in record.spikes.items()}
    for name, rate in rates.items():
        output.line(f"  {name}: {rate:.4f} spikes per neuron and time step")
    output.line(
        f"Accuracy {accuracy.value:.1%} [{accuracy.low:.1%}, {accuracy.high:.1%}] on {images}"
        f" images of {data}, {backend}, seed {seed}, trial {trial}"
    )
    if out is not None:
        record.save(out)
        output.line(f"Wrote {out}")
    output.finish(
        {"accuracy": asdict(accuracy), "firing_rates": rates, "seed": seed, "trial": trial}
    )
