"""``stochi train``, a new network."""

import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stochi.commands.console import Output
from stochi.commands.data import read_parts, samples_of
from stochi.commands.habits import check_new_output
from stochi.commands.network_choice import (
    BitsOption,
    InputGainOption,
    NetworkOption,
    NeuronOption,
    NoiseStdOption,
    OpenShareOption,
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
from stochi.commands.stopping import advised
from stochi.devices import check_device
from stochi.errors import InputError
from stochi.files import check_output, is_written_through
from stochi.plain_text import counted, decimal, in_percent, interval_in_percent
from stochi.time_left import TimeLeft, in_words

if TYPE_CHECKING:
    from torch import nn

    from stochi.data.batches import Labelled
    from stochi.data.catalogue import DataSet
    from stochi.train import NetworkConfig, TrainingConfig, UnfinishedTraining
    from stochi.train.defences.defence import Defence
    from stochi.train.parallel import Processes
    from stochi.train.training_run import Epoch

LEARNING = ("learning_rate", "batch_size", "momentum", "weight_decay", "micro_batch")
"""Options that replace fields of the configuration."""

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
        help="Defence against attacks: fgsm, pgd or trades (adversarial training), rat, sr, hire,"
        " tgo; on event data, events. docs/defences.md explains them."
    ),
]
EpsilonOption = Annotated[
    float | None,
    typer.Option(
        help="ε of the defence, the largest change of a pixel, above 0 and at most 1; 0.1 by"
        " default, and none for tgo."
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
        help="Surrogate gradient that the attack of fgsm, pgd, trades, rat, tgo or events follows:"
        " own (the network's, by default), adaptive, potential, or a kernel with its sharpness,"
        " like atan-25."
    ),
]
OptimizerOption = Annotated[
    str, typer.Option(help="adam, or sgd (with momentum); both with a cosine schedule.")
]
LearningRateOption = Annotated[
    float | None,
    typer.Option(help="Learning rate at the start; 0.003 by default (events: 0.005), sgd: 0.1."),
]
BatchSizeOption = Annotated[
    int | None,
    typer.Option(help="Number of samples of a training step; 64 by default, 32 on events."),
]
MomentumOption = Annotated[
    float | None, typer.Option(help="Momentum of sgd, from 0 to below 1; 0.9 by default.")
]
WeightDecayOption = Annotated[
    float | None,
    typer.Option(help="Share of the weights added to gradients; 0 by default, sgd: 0.0001."),
]
MicroBatchOption = Annotated[
    int | None,
    typer.Option(
        help="Compute the gradients of this number of samples at once, which takes less memory, and"
        " add them up to those of the batch; batch norms then see the smaller parts."
    ),
]
TrainingImagesOption = Annotated[
    int | None,
    typer.Option(help="Number of training samples, from the front; all by default."),
]
RestartOption = Annotated[
    bool,
    typer.Option("--restart", help="Begin anew, also if an interrupted training could go on."),
]


@dataclass(frozen=True)
class _Recipe:
    """The network to train, and how.

    Attributes:
        defence: None for plain training.
        hardware: whether the twin is trained.
        data: the data set's name.
        training_images: number of training samples, None for all.
    """

    network: "NetworkConfig"
    config: "TrainingConfig"
    defence: "Defence | None"
    hardware: bool
    data: str
    training_images: int | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values of what is not in the configurations."""
        some = {"training_images": self.training_images} if self.training_images else {}
        return some | {
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
    noise_std: NoiseStdOption = 0.2,
    open_share: OpenShareOption = 0.9,
    hardware: HardwareOption = False,
    defence: DefenceOption = None,
    epsilon: EpsilonOption = None,
    flips: FlipsOption = None,
    surrogate: SurrogateOption = None,
    optimizer: OptimizerOption = "adam",
    learning_rate: LearningRateOption = None,
    batch_size: BatchSizeOption = None,
    momentum: MomentumOption = None,
    weight_decay: WeightDecayOption = None,
    micro_batch: MicroBatchOption = None,
    training_images: TrainingImagesOption = None,
    restart: RestartOption = False,
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Train a network, made for the data set's samples and classes.

    Its neurons draw τ unless told otherwise. With --hardware the twin is trained in place of the
    float model. The checkpoint holds a float model in both cases, for 'stochi export'.

    If it is interrupted, the same command goes on with it. torchrun trains in several processes.
    """
    from stochi.data.catalogue import find_data_set

    options = {"epsilon": epsilon, "flips": flips, "surrogate": surrogate}
    chosen_defence = _choose_defence(defence, options)
    chosen = find_data_set(data)
    built = choose_network(context, chosen, batch_norm=not hardware)
    config = _choose_training(chosen, context.params)
    recipe = _Recipe(built, config, chosen_defence, hardware, data, training_images)
    output = Output(as_json)
    _run(output, recipe, chosen, data_dir=data_dir, device=device, out=out, restart=restart)


def _run(
    output: Output,
    recipe: _Recipe,
    chosen: "DataSet",
    *,
    data_dir: Path | None,
    device: str,
    out: Path,
    restart: bool,
) -> None:
    """Read the data, train, and let the first process finish."""
    from stochi.data.batches import held_if_small
    from stochi.train import join_processes

    check_new_output(out)
    check_device(device)
    keep = _choose_place(output, recipe, out)
    training, test = read_parts(chosen, data_dir, recipe.network.time_steps)
    if recipe.training_images is not None:
        training = training.first(recipe.training_images)
    with join_processes(device) as processes:
        if not processes.is_first:
            output.silence()
            warnings.simplefilter("ignore")
        elif restart and keep is not None:
            keep.remove()
        with advised(_advice(keep)):
            model, history = _train(
                output, recipe, held_if_small(training), device, keep, processes
            )
    if processes.is_first:
        _finish(output, recipe, model, history, test, out)
        if keep is not None:
            keep.remove()


def _advice(keep: "UnfinishedTraining | None") -> str:
    """Return the line that a stopped training ends with."""
    if keep is None:
        return "stopped"
    return f"stopped; the same command goes on after the last epoch that {keep.path} holds, if any"


def _choose_place(output: Output, recipe: _Recipe, out: Path) -> "UnfinishedTraining | None":
    """Return where the training is kept, beside its checkpoint if that is a file."""
    from stochi.train.unfinished import ENDING, UnfinishedTraining

    if is_written_through(out):
        return None
    path = out.with_name(out.name + ENDING)
    check_output(path, out)
    about = {"network": asdict(recipe.network), **recipe.to_json()}
    del about["defence"]  # which the training adds
    return UnfinishedTraining(
        path,
        about,
        way_out="give the same to go on with it, --restart to begin anew, or another --out",
        report=output.progress,
    )


def _choose_training(chosen: "DataSet", options: dict[str, Any]) -> "TrainingConfig":
    """Return the options of training that suit a data set, with those that were given.

    Args:
        options: values of all of the command's options, by their names.

    Raises:
        InputError: a value is unknown or out of range, or has no effect.
    """
    from stochi.train import TrainingConfig
    from stochi.train.training_config import SGD_AS_PUBLISHED

    make = TrainingConfig.for_events if chosen.events else TrainingConfig
    base = make(**{name: options[name] for name in ("seed", "epochs", "patience")})
    given = {name: options[name] for name in LEARNING if options[name] is not None}
    if options["optimizer"] != "sgd" and "momentum" in given:
        raise InputError("--momentum: it is for --optimizer sgd; leave it out")
    defaults = SGD_AS_PUBLISHED if options["optimizer"] == "sgd" else {}
    return replace(base, optimizer=options["optimizer"], **{**defaults, **given})


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
    output: Output,
    recipe: _Recipe,
    samples: "Labelled",
    device: str,
    keep: "UnfinishedTraining | None",
    processes: "Processes",
) -> "tuple[nn.Module, list[Epoch]]":
    """Train the float model, or the twin, and report every epoch."""
    import torch

    from stochi.train import FreshDraws, make_twin, train_classifier

    network, config = recipe.network, recipe.config
    output.progress(
        f"Training on {samples_of(recipe.data, len(samples))}, {network.neurons.title} neurons, at"
        f" most {counted(config.epochs, 'epoch')}, seed {config.seed}"
    )

    left = TimeLeft()

    def show(epoch: "Epoch") -> None:
        seconds = left.after(epoch.number, config.epochs)
        output.progress(
            f"epoch {epoch.number:3d}  loss {decimal(epoch.loss, 4)}"
            f"  validation accuracy {in_percent(epoch.validation_accuracy, 1)}"
            f"  at most about {in_words(seconds)} left"
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
        keep=keep,
        processes=processes,
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
    config, epochs = recipe.config.to_json(), [asdict(epoch) for epoch in history]
    save_checkpoint(out, model, network, {**config, **recipe.to_json(), "history": epochs})
    output.line(
        f"Test accuracy {interval_in_percent(found.value, found.low, found.high)} on"
        f" {samples_of(recipe.data, len(test))}; wrote {out}"
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
