"""``stochi train``"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stochi.commands.console import DeviceOption, JsonOption, Output, SeedOption, was_given
from stochi.commands.data import DataDirOption, DataOption
from stochi.devices import check_device
from stochi.errors import InputError
from stochi.files import check_output

if TYPE_CHECKING:
    from torch import nn

    from stochi.data import Images
    from stochi.train.checkpoint import NetworkConfig

ONLY_WITHOUT_TUNE = (
    *("patience", "steps", "sigma", "sampling", "input_gain", "bits", "hardware"),
    *("defence", "epsilon"),
)
TUNING_EPOCHS = 10


def train(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Checkpoint to write.")] = Path("runs/model.pt"),
    seed: SeedOption = 0,
    epochs: Annotated[
        int | None,
        typer.Option(
            help=f"Most passes over the data; by default 25, or {TUNING_EPOCHS} with --tune."
        ),
    ] = None,
    patience: Annotated[int, typer.Option(help="Stop when nothing improves for so many.")] = 8,
    steps: Annotated[int, typer.Option(help="Time steps an image is shown.")] = 8,
    sigma: Annotated[float, typer.Option(help="Spread of the random decay's logit.")] = 1.0,
    sampling: Annotated[str, typer.Option(help="Draw λ per: step, forward, fixed, mean.")] = "step",
    input_gain: Annotated[str, typer.Option(help="Input gain: coupled or mean.")] = "coupled",
    bits: Annotated[int, typer.Option(help="Bits of the decay table; 0: continuous.")] = 0,
    hardware: Annotated[
        bool,
        typer.Option(
            "--hardware",
            help="Train in the chip's integers from the start, without batch norm; slow at first.",
        ),
    ] = False,
    defence: Annotated[
        str | None,
        typer.Option(
            help="Against attacks: fgsm or pgd (adversarial training), rat, sr, hire."
            " docs/defences.md says what each does."
        ),
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option(
            help="With --defence: a pixel is moved by so much of [0, 1] at most, above 0; 0.1."
        ),
    ] = None,
    tune: Annotated[
        Path | None,
        typer.Option(help="Checkpoint to tune, until its Program answers as it does."),
    ] = None,
    program: Annotated[
        Path | None, typer.Option(help="With --tune: the Program that was lowered from it.")
    ] = None,
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Train a small convolutional random-τ network, made for the data set's images and classes.

    Or, with --tune, go on training one with the arithmetic and the noise of its Program in the
    loop; export the result, and deploy it with --calibration and that Program.
    """
    from stochi.data.catalogue import find_data_set
    from stochi.train.checkpoint import NetworkConfig, in_floats, save_checkpoint
    from stochi.train.defences import make_defence
    from stochi.train.neurons import check_neuron_options
    from stochi.train.training import Epoch, TrainingConfig, measure_accuracy, train_classifier

    output = Output(as_json)
    check_output(out)
    if (tune is None) != (program is None):
        raise InputError("--tune CHECKPOINT and --program PROGRAM go together")
    if tune is not None and program is not None:
        given = [name for name in ONLY_WITHOUT_TUNE if was_given(context, name)]
        if given:
            option = given[0].replace("_", "-")
            raise InputError(f"--{option} is of a new network; --tune takes the checkpoint's")
        if device != "cpu":
            raise InputError(f"--tune runs on the CPU; leave out --device {device}")
        from stochi.commands.tuning import tune_checkpoint

        tune_checkpoint(
            output,
            tune,
            program,
            out,
            seed,
            TUNING_EPOCHS if epochs is None else epochs,
            data,
            data_dir,
        )
        return
    config = TrainingConfig(seed=seed, patience=patience)
    config = config if epochs is None else replace(config, epochs=epochs)
    if defence is None and epsilon is not None:
        raise InputError("--epsilon is of a defence; name one with --defence")
    chosen_defence = None
    if defence is not None:
        chosen_defence = make_defence(defence, **({} if epsilon is None else {"epsilon": epsilon}))
        if epsilon == 0:
            raise InputError(
                "--epsilon 0 moves no pixel, so --defence would be plain training; give an ε above"
                " 0, or leave both out"
            )
    check_neuron_options(sigma, sampling, input_gain, bits or None)
    if sampling == "mean":
        for name in ("sigma", "bits"):
            if was_given(context, name) and (name != "bits" or bits):
                raise InputError(f"--{name} is of random decays; --sampling mean draws none")
    if steps < 1:
        raise InputError(f"steps is {steps}; a sample needs at least 1 time step")
    chosen = find_data_set(data)
    network = NetworkConfig(
        input_shape=chosen.shape,
        classes=chosen.classes,
        steps=steps,
        sigma=sigma,
        sampling=sampling,
        input_gain=input_gain,
        bits=bits or None,
        batch_norm=not hardware,
    )
    where = check_device(device)
    training, test = chosen.read(data_dir)
    output.progress(
        f"Training on {len(training)} images of {data}, at most {config.epochs} epochs, seed {seed}"
    )

    def show(epoch: Epoch) -> None:
        output.progress(
            f"epoch {epoch.number:3d}  loss {epoch.loss:.4f}"
            f"  validation accuracy {epoch.validation_accuracy:.1%}"
        )

    def build() -> "nn.Module":
        return _on_the_chip(network, training, seed) if hardware else network.build()

    model, history = train_classifier(
        build,
        training,
        config,
        defence=chosen_defence,
        device=where,
        progress=show,
        batch_progress=output.steps("batches of this epoch"),
    )
    kept = max(history, key=lambda epoch: epoch.validation_accuracy).number
    output.progress(f"The weights of epoch {kept} of {len(history)} were the best, and are kept")
    model.to("cpu")
    accuracy = measure_accuracy(model, test)
    if hardware:
        model, network = in_floats(model.get_submodule("model"), network)
    told_defence = None if chosen_defence is None else chosen_defence.as_dict()
    save_checkpoint(
        out,
        model,
        network,
        {
            **config.as_dict(),
            "data": data,
            "hardware": hardware,
            "defence": told_defence,
            "history": [e.as_dict() for e in history],
        },
    )
    output.say(f"Test accuracy {accuracy:.1%} on {len(test)} images of {data}; wrote {out}")
    output.finish(
        {
            "checkpoint": str(out),
            "data": data,
            "hardware": hardware,
            "defence": told_defence,
            "test_accuracy": accuracy,
            "epochs": [e.as_dict() for e in history],
            "training": config.as_dict(),
        }
    )


def _on_the_chip(network: "NetworkConfig", images: "Images", seed: int) -> "nn.Module":
    """The untrained network in the chip's integers, with other draws for every batch."""
    from stochi.train.hardware_aware import FreshDraws, hardware_aware

    return FreshDraws(hardware_aware(network.build(), images.inputs[:1]), seed)
