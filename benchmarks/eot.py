"""PGD over the expectation of the model's draws: side by side in one batch, and in a loop.

    .venv/bin/python -m benchmarks.eot                    # OMP_NUM_THREADS=1 for one thread
    .venv/bin/python -m benchmarks.eot --device cuda

Both take the same number of draws an iteration and climb the same expectation.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from benchmarks.timing import in_turns
from stochi.attacks import PGD
from stochi.attacks.climbing import Hill
from stochi.attacks.expectation import expected_gradient
from stochi.commands.console import Output
from stochi.data import load
from stochi.deploy import lower
from stochi.export import to_nir
from stochi.train.networks import small_conv_net, two_layer_net
from stochi.train.twin.model import FreshDraws, twin_of

DRAWS = (1, 10, 20)


@dataclass(frozen=True)
class LoopingPGD(PGD):
    """PGD that runs the model once for each draw, one run after another."""

    def ascend(self, hill: Hill, generator: torch.Generator) -> torch.Tensor:
        """Follow the mean of single runs' gradients."""
        points = self.random_start(hill.inputs, generator)
        for iteration in range(self.iterations):
            gradients = [
                expected_gradient(hill.model, points, hill.labels, 1) for _ in range(self.draws)
            ]
            step = self.step(iteration) * torch.stack(gradients).mean(0).sign()
            points = hill.project(points + step)
        return points


def main() -> None:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[1, 16, 128])
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    rows = [["model", "images", "draws", "loop, s", "side by side, s", "ratio"]]
    for name, model in _models(options.device).items():
        for count in options.images:
            images = load("digits")[1].first(count)
            inputs, labels = images.inputs.to(options.device), images.labels.to(options.device)
            for draws in DRAWS:
                attacks = (
                    LoopingPGD(0.1, iterations=options.iterations, draws=draws, keep="last"),
                    PGD(0.1, iterations=options.iterations, draws=draws, keep="last"),
                )
                actions: dict[str, Callable[[], object]] = {
                    a.__class__.__name__: partial(a, model, inputs, labels) for a in attacks
                }
                loop, beside = in_turns(actions, options.rounds).values()
                rows.append(
                    [
                        name,
                        str(count),
                        str(draws),
                        f"{loop:.3f}",
                        f"{beside:.3f}",
                        f"{loop / beside:.1f}",
                    ]
                )
    Output(as_json=False).table(
        rows,
        f"PGD-{options.iterations} on digits, on {options.device},"
        f" {torch.get_num_threads()} threads",
    )


def _models(device: str) -> dict[str, nn.Module]:
    sample = torch.zeros(1, 1, 8, 8)
    torch.manual_seed(0)
    dense, conv = two_layer_net().eval(), small_conv_net().eval()
    twin = FreshDraws(twin_of(lower(to_nir(dense, sample)), dense, sample), seed=1)
    models = {"two layers": dense, "its twin": twin, "conv": conv}
    return {name: model.to(device) for name, model in models.items()}


if __name__ == "__main__":
    main()
