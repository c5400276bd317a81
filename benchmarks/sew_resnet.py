"""SEW-ResNet19 of RandHet-SNN (Wang et al., iScience 2025) on the chip: exactness, and time.

The paper's network with fewer channels (:func:`stochi.train.deep_networks.sew_resnet.sew_resnet19`)
is trained for some epochs, or read from a checkpoint, exported, lowered, attacked, and run on the
engine, on the twin and on Lava, which must have the same integers on clean and attacked images.

    python -m benchmarks.sew_resnet --data-dir FOLDER
    python -m benchmarks.sew_resnet --data-dir FOLDER --checkpoint runs/model.pt
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from stochi.attacks import make_attack
from stochi.commands.console import Output
from stochi.data import load
from stochi.data.samples import Samples
from stochi.deploy import lower
from stochi.export import to_nir
from stochi.hardware.draws import Draws
from stochi.parity.records.comparison import compare_records
from stochi.parity.records.twin import record_twin
from stochi.program import Program
from stochi.sim import run
from stochi.sim.recording import PROBES
from stochi.train import (
    FreshDraws,
    TrainingConfig,
    load_checkpoint,
    train_classifier,
    twin_of,
)
from stochi.train.deep_networks.sew_resnet import sew_resnet19
from stochi.train.training import Epoch, measure_accuracy
from stochi.train.twin.model import Twin

EPSILON = 8 / 255
Result = TypeVar("Result")


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """Return a result and the seconds that it took."""
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def trained(training: Samples, channels: int, epochs: int, output: Output) -> nn.Module:
    """Train the network without a defence."""

    def show(epoch: Epoch) -> None:
        right = f"{epoch.validation_accuracy:.1%} of the validation images right"
        output.progress(f"epoch {epoch.number}: loss {epoch.loss:.3f}, {right}")

    config = TrainingConfig(epochs=epochs, learning_rate=2e-3, batch_size=64)
    network, _ = train_classifier(
        lambda: sew_resnet19(width=channels),
        training,
        config,
        progress=show,
        batch_progress=output.counter("batches"),
    )
    return network


def measure(network: nn.Module, test: Samples, few: int, many: int, lava: bool) -> list[list[str]]:
    """Export, lower and run the network; return rows of what was done, the time and the result."""
    sample = test.inputs[:2]
    graph, exporting = timed(lambda: to_nir(network, sample))
    program, lowering = timed(lambda: lower(graph))
    twin, making = timed(lambda: twin_of(program, network, sample).eval())
    neurons = sum(layer.neurons for layer in program.layers)
    weights = sum(p.weight.size for layer in program.layers for p in layer.projections)
    rows = [
        ["export, with its check", f"{exporting:.1f} s", f"{len(graph.nodes)} nodes"],
        ["lower", f"{lowering:.1f} s", f"{neurons:,} neurons, {weights:,} weights"],
        ["make the twin", f"{making:.1f} s", ""],
    ]
    clean = test.first(few)
    attack = make_attack(
        "pgd-cosine", EPSILON, iterations=20, draws=2, surrogates="adaptive", seed=0
    )
    found, attacking = timed(lambda: attack(FreshDraws(twin, 1), clean.inputs, clean.labels))
    rows.append([f"attack the twin, {few} images", f"{attacking:.1f} s", attack.title])
    for what, shown in (("clean", clean.inputs), ("attacked", found)):
        rows += compared(program, twin, shown, f"{few} {what} images", lava)
    right, in_floats = timed(lambda: measure_accuracy(network, test.first(many), 50))
    record, on_engine = timed(lambda: run(program, test.inputs[:many]))
    answers = accuracy(record.predictions(), test)
    rows.append([f"float model, {many} images", f"{in_floats:.1f} s", f"{right:.1%} right"])
    rows.append([f"engine, {many} images", f"{on_engine:.1f} s", answers])
    return rows


def compared(
    program: Program, twin: Twin, shown: torch.Tensor, what: str, lava: bool
) -> list[list[str]]:
    """Return rows of the three back ends' times, and of how many of their values differ."""
    ours, on_engine = timed(lambda: run(program, shown, probes=PROBES))
    theirs, on_twin = timed(lambda: record_twin(twin, program, shown, Draws()))
    rows = [
        [f"engine, {what}", f"{on_engine:.1f} s", ""],
        [f"twin, {what}", f"{on_twin:.1f} s", mismatches(ours, theirs)],
    ]
    if lava:
        record, on_lava = timed(lambda: run(program, shown, "lava", probes=PROBES))
        rows.append([f"Lava, {what}", f"{on_lava:.1f} s", mismatches(record, ours)])
    return rows


def accuracy(classes: torch.Tensor, test: Samples) -> str:
    """Return the share of right answers."""
    return f"{(classes == test.labels[: len(classes)]).double().mean():.1%} right"


def mismatches(left: object, right: object) -> str:
    """Return the number of different values of two records."""
    compared = compare_records(left, right)  # type: ignore[arg-type]
    wrong, total = (sum(getattr(c, what) for c in compared) for what in ("mismatches", "compared"))
    return f"{wrong} mismatches in {total:,} values"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, help="of stochi train, in place of training")
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--images", type=int, default=2000, help="of the training set")
    parser.add_argument("--few", type=int, default=4, help="images that all back ends run")
    parser.add_argument("--many", type=int, default=200, help="images for the accuracies")
    parser.add_argument("--no-lava", action="store_true")
    chosen = parser.parse_args()
    output = Output(as_json=False)
    training, test = load("cifar10", chosen.data_dir)
    rows = [["what", "time", "result"]]
    if chosen.checkpoint:
        network, _ = load_checkpoint(chosen.checkpoint)
    else:
        output.progress(f"Training on {chosen.images} images, {chosen.epochs} epochs")
        some = training.first(chosen.images)
        network, seconds = timed(lambda: trained(some, chosen.channels, chosen.epochs, output))
        rows.append(["train", f"{seconds:.0f} s", ""])
    rows += measure(network.eval(), test, chosen.few, chosen.many, not chosen.no_lava)
    output.table(rows, "SEW-ResNet19")


if __name__ == "__main__":
    main()
