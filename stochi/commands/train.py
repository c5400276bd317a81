"""``stochi train``, a new network."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stochi.commands.console import Output
from stochi.commands.options import (
    CheckpointOutOption,
    DataDirOption,
    DataOption,
    DeviceOption,
    JsonOption,
    TrainingSeedOption,
    was_given,
)
from stochi.devices import check_device
from stochi.errors import InputError
from stochi.files import check_output

if TYPE_CHECKING:
    from torch import nn

    from stochi.data import Images
    from stochi.train import NetworkConfig, TrainingConfig
    from stochi.train.defences.defence import Defence
    from stochi.train.training import Epoch

EpochsOption = Annotated[
    int, typer.Option(help="Largest number of passes over the training images.")
]
PatienceOption = Annotated[
    int,
    typer.Option(help="Stop after this number of epochs without a better validation accuracy."),
]
TimeStepsOption = Annotated[int, typer.Option(help="Number of time steps that an image is shown.")]
SigmaOption = Annotated[float, typer.Option(help="Spread of the logit of the random decay λ.")]
SamplingOption = Annotated[
    str,
    typer.Option(
        help="When λ is drawn: at each time step (step), once per sample (forward), once for all"
        " (fixed), or never (mean)."
    ),
]
InputGainOption = Annotated[
    str, typer.Option(help="Factor of the input: 1 − λ (coupled) or 1 − E[λ] (mean).")
]
BitsOption = Annotated[
    int,
    typer.Option(help="Draw λ from a table of 2^bits entries, 1 to 8 bits; 0: no table."),
]
HardwareOption = Annotated[
    bool,
    typer.Option(
        "--hardware",
        help="Train the twin, in the chip's integers, from the start; it has no batch norm and"
        " learns slowly at first.",
    ),
]
DefenceOption = Annotated[
    str | None,
    typer.Option(
        help="Defence against attacks: fgsm or pgd (adversarial training), rat, sr, hire."
        " docs/defences.md explains them."
    ),
]
EpsilonOption = Annotated[
    float | None,
    typer.Option(
        help="ε of the defence, the largest change of a pixel, above 0 and at most 1; 0.1 by"
        " default."
    ),
]
SurrogateOption = Annotated[
    str | None,
    typer.Option(
        help="Surrogate gradient that the attack of fgsm, pgd or rat follows: own (the network's,"
        " by default), adaptive, potential, or a kernel with its sharpness, like atan-25."
    ),
]


@dataclass(frozen=True)
class _Recipe:
    """The network to train, and how.

    Attributes:
        defence: None for plain training.
        hardware: whether the twin is trained.
        data: the data set's name.
    """

    network: "NetworkConfig"
    config: "TrainingConfig"
    defence: "Defence | None"
    hardware: bool
    data: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values of what is not in the configurations."""
        return {
            "data": self.data,
            "hardware": self.hardware,
            "defence": None if self.defence is None else self.defence.as_dict(),
        }


def train_command(
    context: typer.Context,
    *,
    out: CheckpointOutOption = Path("runs/model.pt"),
    seed: TrainingSeedOption = 0,
    epochs: EpochsOption = 25,
    patience: PatienceOption = 8,
    time_steps: TimeStepsOption = 8,
    sigma: SigmaOption = 1.0,
    sampling: SamplingOption = "step",
    input_gain: InputGainOption = "coupled",
    bits: BitsOption = 0,
    hardware: HardwareOption = False,
    defence: DefenceOption = None,
    epsilon: EpsilonOption = None,
    surrogate: SurrogateOption = None,
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Train a small convolutional random-τ network, made for the data set's images and classes.

    With --hardware the twin is trained in place of the float model. The checkpoint holds a float
    model in both cases, for 'stochi export'.
    """
    from stochi.data import Images
    from stochi.data.catalogue import find_data_set
    from stochi.train import NetworkConfig, TrainingConfig

    output = Output(as_json)
    check_output(out)
    config = TrainingConfig(seed=seed, epochs=epochs, patience=patience)
    chosen_defence = _choose_defence(defence, epsilon, surrogate)
    chosen = find_data_set(data)
    network = NetworkConfig(
        input_shape=chosen.shape,
        classes=chosen.classes,
        time_steps=time_steps,
        sigma=sigma,
        sampling=sampling,
        input_gain=input_gain,
        bits=bits or None,
        batch_norm=not hardware,
    )
    _check_network(context, network)
    check_device(device)
    training, test = chosen.read(data_dir)
    if not (isinstance(training, Images) and isinstance(test, Images)):
        raise InputError(f"{data} consists of events, and this command trains on images")
    recipe = _Recipe(network, config, chosen_defence, hardware, data)
    model, history = _train(output, recipe, training, device)
    _finish(output, recipe, model, history, test, out)


def _choose_defence(
    name: str | None, epsilon: float | None, surrogate: str | None
) -> "Defence | None":
    """Make the defence with this name, if there is one.

    Raises:
        InputError: the name is unknown, ε is out of range or 0, or an option came without a defence
            that has it.
    """
    from stochi.train import make_defence

    options = {"epsilon": epsilon, "surrogate": surrogate}
    given = {option: value for option, value in options.items() if value is not None}
    if name is None:
        for option in given:
            raise InputError(f"--{option} is an option of a defence; name one with --defence")
        return None
    defence = make_defence(name, **given)
    if epsilon == 0:
        raise InputError(
            "--epsilon 0 moves no pixel, so --defence would be plain training; give an ε above 0,"
            " or leave both out"
        )
    return defence


def _check_network(context: typer.Context, network: "NetworkConfig") -> None:
    """Raise InputError if an option of the network is out of range or has no effect."""
    from stochi.train.networks import check_time_steps
    from stochi.train.neurons.random_tau_leaky import check_neuron_options

    check_neuron_options(network.sigma, network.sampling, network.input_gain, network.bits)
    if network.sampling == "mean":
        without_effect = {"sigma": was_given(context, "sigma"), "bits": network.bits is not None}
        for name in (name for name, given in without_effect.items() if given):
            raise InputError(f"--{name} is for random decays; --sampling mean draws none")
    check_time_steps(network.time_steps)


def _train(
    output: Output, recipe: _Recipe, images: "Images", device: str
) -> "tuple[nn.Module, list[Epoch]]":
    """Train the float model, or the twin, and report every epoch."""
    from stochi.train import FreshDraws, make_twin, train_classifier

    network, config = recipe.network, recipe.config
    output.progress(
        f"Training on {len(images)} images of {recipe.data}, at most {config.epochs} epochs, seed"
        f" {config.seed}"
    )

    def show(epoch: "Epoch") -> None:
        output.progress(
            f"epoch {epoch.number:3d}  loss {epoch.loss:.4f}"
            f"  validation accuracy {epoch.validation_accuracy:.1%}"
        )

    def build() -> "nn.Module":
        model = network.build()
        if not recipe.hardware:
            return model
        # Every batch has other draws.
        return FreshDraws(make_twin(model, images.inputs[:1]), config.seed)

    model, history = train_classifier(
        build,
        images,
        config,
        defence=recipe.defence,
        device=device,
        progress=show,
        batch_progress=output.counter("batches of this epoch"),
    )
    kept = max(history, key=lambda epoch: epoch.validation_accuracy).number
    output.progress(f"The weights of epoch {kept} of {len(history)} were the best, and are kept")
    return model.to("cpu"), history


def _finish(
    output: Output,
    recipe: _Recipe,
    model: "nn.Module",
    history: "list[Epoch]",
    test: "Images",
    out: Path,
) -> None:
    """Measure the accuracy, write the checkpoint and report both."""
    from stochi.train import save_checkpoint
    from stochi.train.checkpoint import in_floats
    from stochi.train.training import measure_accuracy

    accuracy, network = measure_accuracy(model, test), recipe.network
    if recipe.hardware:
        model, network = in_floats(model.get_submodule("model"), network)
    config, epochs = asdict(recipe.config), [asdict(epoch) for epoch in history]
    save_checkpoint(out, model, network, {**config, **recipe.to_json(), "history": epochs})
    output.line(f"Test accuracy {accuracy:.1%} on {len(test)} images of {recipe.data}; wrote {out}")
    output.finish(
        {
            "checkpoint": str(out),
            **recipe.to_json(),
            "test_accuracy": accuracy,
            "epochs": epochs,
            "training": config,
        }
    )
