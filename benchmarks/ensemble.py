"""What surrogates, and the parts of AutoAttack for spiking networks, gain and cost.

    .venv/bin/python -m benchmarks.ensemble                     # about ten minutes on a core
    .venv/bin/python -m benchmarks.ensemble --networks LIF --defence none

The networks are those of ``stochi study`` on the digits; weights that a study kept in its folder
are used, others are trained and kept there.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from stochi.attacks import APGD, PGD, SAPGD, AutoAttack, ImageAttack, Square
from stochi.attacks.expectation import answers
from stochi.commands.console import Output
from stochi.data import Images
from stochi.hardware.fixed_point import GRADED_INPUT_MAX
from stochi.statistics import estimate_accuracy, estimate_difference
from stochi.statistics.worst import take_worst
from stochi.study import plan_for
from stochi.study.execution import load_images
from stochi.study.networks import load_or_train
from stochi.study.store import Store
from stochi.study.victims import NEURONS, Victim

EPSILON = 25 / 255
SURROGATES = (
    *("own", "atan-5", "atan-10", "atan-25", "atan-50", "atan-100"),
    *("triangle-5", "triangle-10", "gaussian-10", "gaussian-25", "fast-sigmoid-25"),
    *("potential", "adaptive-0.35", "adaptive", "adaptive-0.47"),
)
TRIALS, CHOOSING = 10, 40
"""Draws that are reported, ten at once, and those that choose the worst attack of an image."""


@dataclass(frozen=True)
class Result:
    """What an attack left right on a network.

    Attributes:
        attack: the attack.
        right: (TRIALS, images) bool, on draws that nothing was chosen by.
        choosing: (CHOOSING, images) bool, on further draws.
        seconds: time of the attack.
    """

    attack: ImageAttack
    right: torch.Tensor
    choosing: torch.Tensor
    seconds: float


def run(attack: ImageAttack, network: nn.Module, images: Images) -> Result:
    """Attack a network and show it the images again, on fresh draws."""
    begun = time.perf_counter()
    found = replace(attack, grid=GRADED_INPUT_MAX)(network, images.inputs, images.labels)
    seconds = time.perf_counter() - begun
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(12345)
        parts = [answers(network, found, 10).argmax(2) for _ in range((TRIALS + CHOOSING) // 10)]
    right = torch.cat(parts) == images.labels
    return Result(attack, right[:TRIALS], right[TRIALS:], seconds)


def worst(results: Sequence[Result]) -> torch.Tensor:
    """Return what is right of each image's worst version, (TRIALS, images), chosen elsewhere."""
    choosing, reported = ([one.choosing for one in results], [one.right for one in results])
    return take_worst(torch.stack(choosing), torch.stack(reported))


def percent(right: torch.Tensor) -> str:
    """Return an accuracy in % with its interval."""
    found = estimate_accuracy(right)
    return f"{100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def points(first: torch.Tensor, second: torch.Tensor) -> str:
    """Return ``second − first`` in points with its paired interval."""
    found = estimate_difference(first, second)
    return f"{100 * found.value:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"


def surrogate_rows(network: nn.Module, images: Images, climb: PGD) -> Iterator[list[str]]:
    """Yield a row for the same climb through each surrogate."""
    yield ["surrogate", "accuracy, %", "minus own, points", "seconds"]
    own = None
    for name in SURROGATES:
        found = run(replace(climb, surrogates=name), network, images)
        own = found if own is None else own
        difference = "–" if found is own else points(own.right, found.right)
        yield [name, percent(found.right), difference, f"{found.seconds:.1f}"]


def part_rows(network: nn.Module, images: Images, whole: AutoAttack) -> Iterator[list[str]]:
    """Yield a row for each part alone, with the worst of the parts so far."""
    yield ["part", "alone, %", "worst so far, %", "gain, points", "seconds"]
    found: list[Result] = []
    before = None
    for part in whole.parts():
        found.append(run(part, network, images))
        so_far = worst(found)
        gain = "–" if before is None else points(before, so_far)
        last = found[-1]
        yield [
            part.title,
            percent(last.right),
            percent(so_far),
            gain,
            f"{last.seconds:.1f}",
        ]
        before = so_far
    together = run(whole, network, images)
    yield [whole.title, percent(together.right), "–", "–", f"{together.seconds:.1f}"]


def cost_rows(network: nn.Module, images: Images, whole: AutoAttack) -> Iterator[list[str]]:
    """Yield a row for single attacks with as many gradients as the whole."""
    total, draws = len(whole.parts()) * whole.iterations, whole.draws
    together = run(whole, network, images)
    yield ["attack", "accuracy, %", "minus AutoAttack snn, points", "seconds"]
    yield [whole.title, percent(together.right), "–", f"{together.seconds:.1f}"]
    for attack in (
        PGD(EPSILON, iterations=total, draws=draws),
        APGD(EPSILON, iterations=total, draws=draws),
        AutoAttack(EPSILON, iterations=total // 2, draws=draws),
        PGD(EPSILON, iterations=total, draws=draws, schedule="cosine", surrogates="adaptive"),
        PGD(EPSILON, iterations=total, draws=draws, schedule="cosine", surrogates="atan-25"),
        SAPGD(EPSILON, iterations=total, draws=draws, surrogates="adaptive"),
        APGD(EPSILON, iterations=total, draws=draws, loss="margin", surrogates="adaptive"),
        Square(EPSILON, iterations=total, draws=draws),
    ):
        found = run(attack, network, images)
        difference = points(together.right, found.right)
        yield [attack.title, percent(found.right), difference, f"{found.seconds:.1f}"]


def main() -> None:
    """Print the tables of every network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", choices=tuple(NEURONS), default=list(NEURONS)[:2])
    parser.add_argument("--defence", default="pgd")
    parser.add_argument("--images", type=int, default=359)
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--folder", default="runs/study/answers")
    options = parser.parse_args()
    plan, output = plan_for("digits", quick=False), Output(as_json=False)
    training, test = load_images(plan, None)
    images, store = test.first(options.images), Store(options.folder)
    whole = AutoAttack(EPSILON, version="snn", iterations=options.iterations, draws=options.draws)
    climb = PGD(EPSILON, iterations=options.iterations, draws=options.draws, schedule="cosine")
    for name in options.networks:
        network = load_or_train(Victim(name, options.defence), plan, training, store)
        about = f"{name}, {options.defence}, {len(images)} digits, ε = 25/255"
        for title, rows in (
            (f"{climb.title} through other surrogates", surrogate_rows(network, images, climb)),
            ("Parts of AutoAttack snn", part_rows(network, images, whole)),
            ("Attacks with as many gradients", cost_rows(network, images, whole)),
        ):
            output.table(list(rows), f"{title}: {about}")


if __name__ == "__main__":
    main()
