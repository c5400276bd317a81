"""``stochi train``, a new network."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stochi.commands.console import Output
from stochi.commands.data import samples_of
from stochi.commands.network_choice import (
    BitsOption,
    InputGainOption,
    NetworkOption,
    NeuronOption,
    RandomLayersOption,
    SamplingOption,
    SigmaOption,
    TimeStepsOption,
    WidthOption,
    choose_network,
)
from stochi.commands.options import (
    CheckpointOutOption,
    DataDirOption,
    DataOption,
    DeviceOption,
    JsonOption,
    TrainingSeedOption,
)
from stochi.devices import check_device
from stochi.errors import InputError
from stochi.files import check_output

if TYPE_CHECKING:
    from torch import nn

    from stochi.data.batches import Labelled
    from stochi.data.catalogue import DataSet
    from stochi.train import NetworkConfig, TrainingConfig
    from stochi.train.defences.defence import Defence
    from stochi.train.training import Epoch

EpochsOption = Annotated[int, typer.Option(help="Largest number of passes over the training set.")]
PatienceOption = Annotated[
    int,
    typer.Option(help="Stop after this number of epochs without a better validation accuracy."),
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
        help="Defence against attacks: fgsm or pgd (adversarial training), rat, sr, hire; on event"
        " data, events. docs/defences.md explains them."
    ),
]
EpsilonOption = Annotated[
    float | None,
    typer.Option(
        help="ε of the defence, the largest change of a pixel, above 0 and at most 1; 0.1 by"
        " default."
    ),
]
FlipsOption = Annotated[
    int | None,
    typer.Option(
        help="Number of events that the attack of the defence 'events' may insert or delete in a"
        " sample; 50 by default."
    ),
]
SurrogateOption = Annotated[
    str | None,
    typer.Option(
        help="Surrogate gradient that the attack of fgsm, pgd, rat or events follows: own (the"
        " network's, by default), adaptive, potential, or a kernel with its sharpness, like"
        " atan-25."
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
    network: NetworkOption = "conv",
    width: WidthOption = None,
    random_layers: RandomLayersOption = None,
    neuron: NeuronOption = "random",
    time_steps: TimeStepsOption = None,
    sigma: SigmaOption = 1.0,
    sampling: SamplingOption = "step",
    input_gain: InputGainOption = "coupled",
    bits: BitsOption = 0,
    hardware: HardwareOption = False,
    defence: DefenceOption = None,
    epsilon: EpsilonOption = None,
    flips: FlipsOption = None,
    surrogate: SurrogateOption = None,
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Train a network, made for the data set's samples and classes.

    Its neurons draw τ unless told otherwise. With --hardware the twin is trained in place of the
    float model. The checkpoint holds a float model in both cases, for 'stochi export'.
    """
    from stochi.data.batches import held_if_small
    from stochi.data.catalogue import find_data_set

    output = Output(as_json)
    check_output(out)
    options = {"epsilon": epsilon, "flips": flips, "surrogate": surrogate}
    chosen_defence = _choose_defence(defence, options)
    chosen = find_data_set(data)
    config = _choose_training(chosen, seed, epochs, patience)
    built = choose_network(
        context,
        chosen,
        network=network,
        width=width,
        random_layers=random_layers,
        neuron=neuron,
        time_steps=time_steps,
        sigma=sigma,
        sampling=sampling,
        input_gain=input_gain,
        bits=bits,
        batch_norm=not hardware,
    )
    check_device(device)
    training, test = chosen.parts(data_dir, built.time_steps)
    recipe = _Recipe(built, config, chosen_defence, hardware, data)
    model, history = _train(output, recipe, held_if_small(training), device)
    _finish(output, recipe, model, history, test, out)


def _choose_training(chosen: "DataSet", seed: int, epochs: int, patience: int) -> "TrainingConfig":
    from stochi.train import TrainingConfig

    make = TrainingConfig.for_events if chosen.events else TrainingConfig
    return make(seed=seed, epochs=epochs, patience=patience)


def _choose_defence(name: str | None, options: dict[str, float | str | None]) -> "Defence | None":
    """Make the defence with this name, if there is one.

    Raises:
        InputError: the name is unknown, ε is out of range or 0, or an option came without a defence
            that has it.
    """
    from stochi.train import make_defence

    given = {option: value for option, value in options.items() if value is not None}
    if name is None:
        for option in given:
            raise InputError(f"--{option} is an option of a defence; name one with --defence")
        return None
    defence = make_defence(name, **given)
    if options["epsilon"] == 0:
        raise InputError(
            "--epsilon 0 moves no pixel, so --defence would be plain training; give an ε above 0,"
            " or leave both out"
        )
    return defence


def _train(
    output: Output, recipe: _Recipe, samples: "Labelled", device: str
) -> "tuple[nn.Module, list[Epoch]]":
    """Train the float model, or the twin, and report every epoch."""
    import torch

    from stochi.train import FreshDraws, make_twin, train_classifier

    network, config = recipe.network, recipe.config
    output.progress(
        f"Training on {len(samples)} {samples_of(recipe.data)}, {network.neurons.title} neurons, at"
        f" most {config.epochs} epochs, seed {config.seed}"
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
        first = samples.select(torch.arange(1)).inputs
        # Every batch has other draws.
        return FreshDraws(make_twin(model, first, events=network.events), config.seed)

    model, history = train_classifier(
        build,
        samples,
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
    test: "Labelled",
    out: Path,
) -> None:
    """Measure the accuracy, write the checkpoint and report both."""
    from stochi.statistics import estimate_accuracy
    from stochi.train import save_checkpoint
    from stochi.train.checkpoint import in_floats
    from stochi.train.training import are_right
    from stochi.turns import seeded

    with seeded(recipe.config.seed):  # the same numbers again from the same command
        found = estimate_accuracy(are_right(model, test)[None])
    network = recipe.network
    if recipe.hardware:
        model, network = in_floats(model.get_submodule("model"), network)
    config, epochs = asdict(recipe.config), [asdict(epoch) for epoch in history]
    save_checkpoint(out, model, network, {**config, **recipe.to_json(), "history": epochs})
    output.line(
        f"Test accuracy {found.value:.1%} [{found.low:.1%}, {found.high:.1%}] on {len(test)}"
        f" {samples_of(recipe.data)}; wrote {out}"
    )
    output.finish(
        {
            "checkpoint": str(out),
            **recipe.to_json(),
            "test_accuracy": found.value,
            "test_accuracy_interval": [found.low, found.high],
            "epochs": epochs,
            "training": config,
        }
    )
