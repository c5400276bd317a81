"""The setting of the RandHet-SNN paper, as far as a time budget allows, and what was cut.

SEW-ResNet19 with 128 channels on CIFAR-10, 8 time steps, FGSM training at 4/255 with momentum for
100 epochs, attacked at 8/255 (Wang et al., iScience 2025), and by this project's strongest attack,
which the paper does not have. Plain LIF, RandHet-SNN and RandHet-SNN** share the budget.

    python -m benchmarks.paper_setting --data-dir FOLDER --device cuda --minutes 600
    python -m benchmarks.paper_setting --data-dir FOLDER --width 16 --minutes 60

What does not fit is cut in this order: epochs, down to ten; training images; attacked images.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from stochi.attacks import PGD, ImageAttack, make_attack
from stochi.attacks.expectation import expected_gradient
from stochi.commands.console import Output
from stochi.data import load
from stochi.data.images import Images
from stochi.devices import check_device
from stochi.parity.attacked import run_attack
from stochi.statistics import estimate_accuracy
from stochi.study.similarity import gradient_similarities, perturbation_similarities
from stochi.train import NetworkConfig, TrainingConfig, make_defence, train_classifier
from stochi.train.training import are_right
from stochi.train.training_config import SGD_AS_PUBLISHED
from stochi.turns import seeded

EPSILON, TRAINING_EPSILON = 8 / 255, 4 / 255
IMAGES, EPOCHS, BATCH = 50_000, 100, 64
"""The paper's training."""
FEWEST_EPOCHS, FEWEST_IMAGES = 10, 1_000
"""Where cutting epochs ends, and cutting images begins and ends."""
TRIALS = 5
SAMPLING = {"LIF": "mean", "RandHet-SNN": "step", "RandHet-SNN**": "forward"}
TRAINING_SHARE = 0.6


@dataclass(frozen=True)
class Attempt:
    """An attack, and the gradients of an image that it takes.

    Attributes:
        name: name in the table.
        attack: the attack.
        gradients: forward and backward passes.
    """

    name: str
    attack: ImageAttack
    gradients: int


@dataclass(frozen=True)
class Cut:
    """What a budget leaves of the paper's setting.

    Attributes:
        images, epochs: of training.
        attacked: number of attacked images; the paper has 10,000.
    """

    images: int
    epochs: int
    attacked: int


def attempts() -> list[Attempt]:
    """Return the paper's attacks, with EOT where it has EOT, and the ensemble."""
    return [
        Attempt("FGSM", make_attack("fgsm", EPSILON, draws=1), 1),
        Attempt("MI-FGSM-5", make_attack("mi-fgsm", EPSILON, iterations=5, draws=1), 5),
        Attempt("PGD-10", make_attack("pgd", EPSILON, iterations=10, draws=1), 10),
        Attempt("APGD-10", make_attack("apgd", EPSILON, iterations=10, draws=1), 10),
        Attempt("EOT-PGD-50", make_attack("pgd", EPSILON, iterations=50, draws=10), 500),
        Attempt("AutoAttack snn-50", make_attack("auto-snn", EPSILON, iterations=50, draws=2), 400),
    ]


def what_fits(seconds: float, step: float, gradient: float) -> Cut:
    """Return what fits into the time of one network.

    Args:
        seconds: that time.
        step: seconds that training on an image takes.
        gradient: seconds that a gradient of an image takes.
    """
    shown = int(TRAINING_SHARE * seconds / step)
    epochs = max(1, min(EPOCHS, max(FEWEST_EPOCHS, shown // IMAGES)))
    images = max(FEWEST_IMAGES, min(IMAGES, shown // epochs))
    each = sum(attempt.gradients for attempt in attempts())
    attacked = int((1 - TRAINING_SHARE) * seconds / (gradient * each))
    return Cut(images, epochs, max(10, min(10_000, attacked)))


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Return the seconds of the second of two calls."""
    work()
    _wait(device)
    begun = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - begun


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure(config: NetworkConfig, images: Images, device: torch.device) -> tuple[float, float]:
    """Return the seconds an image takes in a training step, and in a gradient of an attack."""
    batch = images.first(BATCH).to(device)
    defence = make_defence("fgsm", epsilon=TRAINING_EPSILON, draws=1)
    with seeded(0):
        model = config.build().to(device)
        step = timed(lambda: defence.loss(model, batch.inputs, batch.labels).backward(), device)
        model.eval()
        gradient = timed(
            lambda: expected_gradient(model, batch.inputs, batch.labels, draws=1), device
        )
    return step / BATCH, gradient / BATCH


def examine(network: nn.Module, test: Images, rows: int, device: torch.device) -> Iterator[str]:
    """Yield the cells of a network's row: accuracies with intervals, and two cosines.

    Args:
        rows: number of images whose gradients are computed at a time, over all draws.
    """
    for attack in (None, *(attempt.attack for attempt in attempts())):
        found = test.inputs
        if attack is not None:
            few = max(1, rows // attack.recipe.draws)
            found = run_attack(attack, network, test, few).inputs
        attacked = test.with_inputs(found)
        right = torch.stack([are_right(network, attacked, BATCH) for _ in range(TRIALS)])
        value = estimate_accuracy(right)
        yield f"{value.value:.1%}\n{100 * value.low:.0f}–{100 * value.high:.0f}"
    compared, some = test.up_to(32).to(device), max(1, rows // 4)
    pgd = PGD(EPSILON, 0, 10, use_random_start=False, draws=1)
    yield f"{float(gradient_similarities(network, compared, 4, some).mean()):.2f}"
    yield f"{float(perturbation_similarities(network, compared, pgd, 4).mean()):.2f}"


def main() -> None:
    """Train and attack the three networks; print what was cut, and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--time-steps", type=int, default=8)
    parser.add_argument("--micro-batch", type=int, help="images whose gradients fit; 64")
    chosen = parser.parse_args()
    device, output = torch.device(check_device(chosen.device)), Output(as_json=False)
    training, test = load("cifar10", chosen.data_dir)
    assert isinstance(training, Images) and isinstance(test, Images)
    shape, time_steps = (3, 32, 32), chosen.time_steps
    random = NetworkConfig(shape, 10, time_steps, kind="sew-resnet19", width=chosen.width)
    step, gradient = measure(random, training, device)
    cut = what_fits(60 * chosen.minutes / len(SAMPLING), step, gradient)
    output.progress(f"{1e3 * step:.1f} ms to train on an image, {1e3 * gradient:.1f} ms a gradient")
    heads = ["network", "clean", *(attempt.name for attempt in attempts())]
    rows = [[*heads, "cosine,\ngradients", "cosine,\nperturbations"]]
    for name, sampling in SAMPLING.items():
        config = NetworkConfig(
            shape, 10, time_steps, kind="sew-resnet19", width=chosen.width, sampling=sampling
        )
        network, _ = train_classifier(
            config.build,
            training.first(cut.images),
            TrainingConfig(
                epochs=cut.epochs,
                batch_size=BATCH,
                optimizer="sgd",
                micro_batch=chosen.micro_batch,
                **SGD_AS_PUBLISHED,
            ),
            defence=make_defence("fgsm", epsilon=TRAINING_EPSILON, draws=1),
            device=device,
            progress=lambda epoch: output.progress(f"epoch {epoch.number}: {epoch.loss:.3f}"),
            batch_progress=output.counter("batches"),
        )
        with seeded(0):
            shown = test.first(cut.attacked).to(device)
            rows.append([name, *examine(network, shown, chosen.micro_batch or BATCH, device)])
    title = f"SEW-ResNet19, {chosen.width} channels, T = {time_steps}, ε = 8/255, on {device.type}"
    output.table(rows, f"{title}\n{describe(cut, chosen.width, time_steps)}")


def describe(cut: Cut, width: int, time_steps: int) -> str:
    """Return what was cut, in words."""
    values = {
        "channels": (128, width),
        "time steps": (8, time_steps),
        "training images": (IMAGES, cut.images),
        "epochs": (EPOCHS, cut.epochs),
        "attacked images": (10_000, cut.attacked),
    }
    words = [f"{what} {ours:,} of {all_:,}" for what, (all_, ours) in values.items() if ours < all_]
    return f"cut: {', '.join(words)}" if words else "nothing was cut"


if __name__ == "__main__":
    main()
