"""``stochi tune``, a trained network with its Program in the loop."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stochi.commands.console import Output
from stochi.commands.data import Taken, check_fits, check_kind, load_network, read_parts, samples_of
from stochi.commands.habits import check_new_output
from stochi.commands.options import (
    CheckpointArgument,
    DataDirOption,
    DataOption,
    DeviceOption,
    JsonOption,
    LoweredProgramArgument,
    TrainingSeedOption,
)
from stochi.commands.output_names import named_after
from stochi.devices import check_device
from stochi.plain_text import counted, decimal
from stochi.time_left import TimeLeft, in_words

if TYPE_CHECKING:
    from stochi.program import Program

OutOption = Annotated[
    Path | None,
    typer.Option(help="Checkpoint to write.", show_default="runs/NAME_tuned.pt"),
]
EpochsOption = Annotated[int, typer.Option(help="Number of passes over the training set.")]


def tune_command(
    checkpoint: CheckpointArgument,
    program: LoweredProgramArgument,
    *,
    out: OutOption = None,
    seed: TrainingSeedOption = 0,
    epochs: EpochsOption = 10,
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Tune a trained network so that its Program answers as the network did.

    Training continues on the twin, with the Program's arithmetic and noise; the network as it was
    is the teacher. Export the result, and deploy it as the last line of the output shows.
    """
    from stochi.data.catalogue import find_data_set
    from stochi.program import Program
    from stochi.train import FineTuningConfig, fine_tune, save_checkpoint
    from stochi.train.checkpoint import check_can_be_in_floats, in_floats

    output = Output(as_json)
    out = named_after(checkpoint, "_tuned.pt") if out is None else out
    check_new_output(out, checkpoint, program)
    check_device(device)
    config = FineTuningConfig(seed=seed, epochs=epochs)
    model, network = load_network(checkpoint)
    check_can_be_in_floats(network)
    lowered = Program.load(program)
    chosen = find_data_set(data)
    check_kind(chosen, Taken.by_program(program, lowered))
    check_fits(chosen, Taken.by_network(checkpoint, network))
    training, _ = read_parts(chosen, data_dir, network.time_steps)
    output.progress(
        f"Tuning on {samples_of(data, len(training))}, {counted(epochs, 'epoch')}, seed {seed}"
    )
    losses: list[float] = []
    left = TimeLeft()

    def show(epoch: int, loss: float) -> None:
        losses.append(loss)
        seconds = left.after(epoch, epochs)
        output.progress(
            f"epoch {epoch:3d}  loss {decimal(loss, 4)}  about {in_words(seconds)} left"
        )

    told = output.counter("batches of this epoch")
    student = fine_tune(
        model, lowered, training, config, device=device, progress=show, batch_progress=told
    )
    tuned, network = in_floats(student, network)
    about = {**asdict(config), "data": data, "tuned_from": str(checkpoint)}
    save_checkpoint(out, tuned, network, {**about, "program": str(program), "losses": losses})
    options = " ".join(["stochi deploy GRAPH", *deploy_options(lowered, program)])
    output.line(
        f"Wrote {out}. Next: stochi export {out}, {options}, and compare with stochi parity"
        f" {checkpoint} TUNED_PROGRAM --lowered-from {out}"
    )
    output.finish({"checkpoint": str(out), "losses": losses, "training": about})


def deploy_options(program: "Program", path: Path) -> list[str]:
    """Return the options with which 'stochi deploy' gives a Program like this one."""
    from stochi.deploy.lowering.tables import table_bits
    from stochi.program.target import NOISE_TARGETS

    target, bits = program.target, table_bits(program)
    options = [f"--noise {target.noise}"]
    if target.noise in NOISE_TARGETS:
        options.append(f"--fitted {path}")
    if bits:
        options.append(f"--bits {max(bits.values())}")
    if target.events:
        options.append("--events")
    if target.random_source != "philox":
        options.append(f"--random-source {target.random_source}")
    return options
