"""``stochi simulate``"""

from pathlib import Path
from typing import Annotated

import typer

from stochi.commands.console import DeviceOption, JsonOption, Output, SeedOption, TrialOption
from stochi.commands.data import (
    DataDirOption,
    DataOption,
    load_program_for_images,
    load_test_images,
)
from stochi.devices import check_device
from stochi.files import check_output


def simulate(
    program: Annotated[Path, typer.Argument(help="Program of 'stochi deploy'.")],
    backend: Annotated[str, typer.Option(help="engine (fast) or lava (the reference).")] = "engine",
    images: Annotated[int, typer.Option(help="How many of the test images.")] = 64,
    seed: SeedOption = 0,
    trial: TrialOption = 0,
    out: Annotated[Path | None, typer.Option(help="Write spikes and membranes (.npz).")] = None,
    probe_folder: Annotated[
        Path | None, typer.Option(help="Write them here while they are recorded (.npy).")
    ] = None,
    device: DeviceOption = "cpu",
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a Program on a data set's test images, on the engine or on Lava."""
    from stochi.sim import run
    from stochi.sim.run import PROBES
    from stochi.sim.statistics import estimate_accuracy

    output = Output(as_json)
    check_output(out)
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
        progress=output.steps(backend),
        probe_folder=probe_folder,
    )
    accuracy = estimate_accuracy((record.predictions() == shown.labels)[None])
    rates = {name: float(s.double().mean()) for name, s in record.spikes.items()}
    for name, rate in rates.items():
        output.say(f"  {name}: {rate:.4f} spikes per neuron and step")
    output.say(
        f"Accuracy {accuracy.value:.1%} [{accuracy.low:.1%}, {accuracy.high:.1%}] on {images}"
        f" images of {data}, {backend}, seed {seed}, trial {trial}"
    )
    if out is not None:
        record.save(out)
        output.say(f"Wrote {out}")
    output.finish(
        {"accuracy": accuracy.as_dict(), "firing_rates": rates, "seed": seed, "trial": trial}
    )
