"""SEW-ResNet19 of RandHet-SNN (Wang et al., iScience 2025) on the chip: exactness, and time.

The paper's network with fewer channels: a convolution, then stages of 3, 3 and 2 basic blocks whose
spikes are added to their identity, global average pooling and a linear readout, T = 8, images
normalized by CIFAR-10's means and deviations. It is trained for some epochs, exported, lowered, and
run on the engine, on the twin and on Lava, which must have the same integers.

    python -m benchmarks.sew_resnet --data-dir FOLDER
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from stochi.commands.console import Output
from stochi.data import load
from stochi.data.samples import Samples
from stochi.deploy import lower
from stochi.export import to_nir
from stochi.hardware.draws import Draws
from stochi.parity.records.comparison import compare_records
from stochi.parity.records.twin import record_twin
from stochi.sim import run
from stochi.sim.recording import PROBES
from stochi.train import RandomTauLeaky, TrainingConfig, train_classifier, twin_of
from stochi.train.training import Epoch, measure_accuracy

MEANS = (0.4914, 0.4822, 0.4465)
DEVIATIONS = (0.2471, 0.2435, 0.2616)
STAGES = ((1, 3), (2, 3), (4, 2))
"""Of each stage: its channels, as a factor, and its number of blocks."""
Result = TypeVar("Result")


class Unit(nn.Module):
    """A convolution, a batch norm and neurons."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, sampling: str) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.neurons = RandomTauLeaky(threshold=0.5, sampling=sampling, init_hidden=True)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map (batch, C, H, W) to spikes."""
        found: torch.Tensor = self.neurons(self.norm(self.conv(values)))
        return found


class Block(nn.Module):
    """Two units whose spikes are added to the block's input."""

    def __init__(self, inputs: int, outputs: int, stride: int, sampling: str) -> None:
        super().__init__()
        self.first = Unit(inputs, outputs, 3, stride, sampling)
        self.second = Unit(outputs, outputs, 3, 1, sampling)
        same = stride == 1 and inputs == outputs
        self.identity = nn.Identity() if same else Unit(inputs, outputs, 1, stride, sampling)

    def forward(self, spikes: torch.Tensor) -> torch.Tensor:
        """Map (batch, C, H, W) sums of spikes to such sums."""
        found: torch.Tensor = self.second(self.first(spikes)) + self.identity(spikes)
        return found


class SewResNet19(nn.Module):
    """The network; ``channels`` is 128 in the paper."""

    def __init__(self, channels: int = 16, time_steps: int = 8, sampling: str = "step") -> None:
        super().__init__()
        self.time_steps = time_steps
        self.means: torch.Tensor
        self.deviations: torch.Tensor
        self.register_buffer("means", torch.tensor(MEANS).view(3, 1, 1))
        self.register_buffer("deviations", torch.tensor(DEVIATIONS).view(3, 1, 1))
        blocks, inputs = [], channels
        for number, (factor, count) in enumerate(STAGES):
            for place in range(count):
                stride = 2 if number and not place else 1
                blocks.append(Block(inputs, channels * factor, stride, sampling))
                inputs = channels * factor
        self.stem = Unit(3, channels, 3, 1, sampling)
        self.blocks = nn.Sequential(*blocks)
        self.readout = nn.Linear(inputs, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (batch, 3, 32, 32) to the mean logits, (batch, 10)."""
        for module in self.modules():
            if isinstance(module, RandomTauLeaky):
                module.reset_mem()
        shown = (images - self.means) / self.deviations
        logits = [
            self.readout(self.blocks(self.stem(shown)).mean((2, 3))) for _ in range(self.time_steps)
        ]
        return torch.stack(logits).mean(0)


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
        lambda: SewResNet19(channels),
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
    shown = test.inputs[:few]
    ours, on_engine = timed(lambda: run(program, shown, probes=PROBES))
    twin, making = timed(lambda: twin_of(program, network, sample).eval())
    theirs, on_twin = timed(lambda: record_twin(twin, program, shown, Draws()))
    neurons = sum(layer.neurons for layer in program.layers)
    weights = sum(p.weight.size for layer in program.layers for p in layer.projections)
    rows = [
        ["export, with its check", f"{exporting:.1f} s", f"{len(graph.nodes)} nodes"],
        ["lower", f"{lowering:.1f} s", f"{neurons:,} neurons, {weights:,} weights"],
        ["make the twin", f"{making:.1f} s", ""],
        [f"engine, {few} images", f"{on_engine:.1f} s", accuracy(ours.predictions(), test)],
        [f"twin, {few} images", f"{on_twin:.1f} s", mismatches(ours, theirs)],
    ]
    if lava:
        record, on_lava = timed(lambda: run(program, shown, "lava", probes=PROBES))
        rows.append([f"Lava, {few} images", f"{on_lava:.1f} s", mismatches(record, ours)])
    right, in_floats = timed(lambda: measure_accuracy(network, test.first(many), 50))
    record, on_engine = timed(lambda: run(program, test.inputs[:many]))
    answers = accuracy(record.predictions(), test)
    rows.append([f"float model, {many} images", f"{in_floats:.1f} s", f"{right:.1%} right"])
    rows.append([f"engine, {many} images", f"{on_engine:.1f} s", answers])
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
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--images", type=int, default=2000, help="of the training set")
    parser.add_argument("--few", type=int, default=4, help="images that all back ends run")
    parser.add_argument("--many", type=int, default=200, help="images for the accuracies")
    parser.add_argument("--no-lava", action="store_true")
    chosen = parser.parse_args()
    output = Output(as_json=False)
    training, test = load("cifar10", chosen.data_dir)
    output.progress(f"Training on {chosen.images} images, {chosen.epochs} epochs")
    network, seconds = timed(
        lambda: trained(training.first(chosen.images), chosen.channels, chosen.epochs, output)
    )
    rows = [["what", "time", "result"], ["train", f"{seconds:.0f} s", ""]]
    rows += measure(network.eval(), test, chosen.few, chosen.many, not chosen.no_lava)
    output.table(rows, f"SEW-ResNet19, {chosen.channels} channels, T = 8")


if __name__ == "__main__":
    main()
