"""``stochi train``"""

from pathlib import Path
from typing import Annotated

import typer

from stochi.commands.console import DeviceOption, JsonOption, Output, SeedOption
from stochi.commands.data import DataDirOption, DataOption
from stochi.devices import check_device
from stochi.errors import InputError


def train(
    out: Annotated[Path, typer.Option(help="Checkpoint to write.")] = Path("runs/model.pt"),
    seed: SeedOption = 0,
    epochs: Annotated[int, typer.Option(help="At most so many passes over the data.")] = 25,
    patience: Annotated[int, typer.Option(help="Stop when nothing improves for so many.")] = 8,
    steps: Annotated[int, typer.Option(help="Time steps an image is shown.")] = 8,
    sigma: Annotated[float, typer.Option(help="Spread of the random decay's logit.")] = 1.0,
    sampling: Annotated[str, typer.Option(help="Draw λ per: step, forward, fixed, mean.")] = "step",
    input_gain: Annotated[str, typer.Option(help="Input gain: coupled or mean.")] = "coupled",
    bits: Annotated[int, typer.Option(help="Bits of the decay table; 0: continuous.")] = 0,
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Train a small convolutional random-τ network, made for the data set's images and classes."""
    from stochi.data.catalogue import find_data_set
    from stochi.train.checkpoint import NetworkConfig, save_checkpoint
    from stochi.train.neurons import check_neuron_options
    from stochi.train.training import Epoch, TrainingConfig, measure_accuracy, train_classifier

    output = Output(as_json)
    config = TrainingConfig(seed=seed, epochs=epochs, patience=patience)
    check_neuron_options(sigma, sampling, input_gain, bits or None)
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
    )
    where = check_device(device)
    training, test = chosen.read(data_dir)
    output.progress(
        f"Training on {len(training)} images of {data}, at most {epochs} epochs, seed {seed}"
    )

    def show(epoch: Epoch) -> None:
        output.progress(
            f"epoch {epoch.number:3d}  loss {epoch.loss:.4f}"
            f"  validation accuracy {epoch.validation_accuracy:.1%}"
        )

    model, history = train_classifier(network.build, training, config, device=where, progress=show)
    model.to("cpu")
    accuracy = measure_accuracy(model, test)
    save_checkpoint(
        out,
        model,
        network,
        {**config.as_dict(), "data": data, "history": [e.as_dict() for e in history]},
    )
    output.say(f"Test accuracy {accuracy:.1%} on {len(test)} images of {data}; wrote {out}")
    output.finish(
        {
            "checkpoint": str(out),
            "data": data,
            "test_accuracy": accuracy,
            "epochs": [e.as_dict() for e in history],
            "training": config.as_dict(),
        }
    )
