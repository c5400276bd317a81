"""Universal patterns and patches of events: how often they fool, and where they transfer to.

    .venv/bin/python -m benchmarks.event_patterns                                  # saccades
    .venv/bin/python -m benchmarks.event_patterns --data nmnist --data-dir FOLDER
    .venv/bin/python -m benchmarks.event_patterns --figures docs                   # PNG and GIF

Patterns are trained on the float plain LIF and on the float random-τ network, on the training part.
Rates are those of the test part, over five shifts and draws, with Wilson's intervals over samples.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from stochi.attacks import (
    EventBudget,
    EventPattern,
    NoiseSearch,
    PatternTraining,
    fooling_rate,
    random_like,
    search_noise,
    train_patch,
    train_universal,
)
from stochi.commands.console import Output
from stochi.data import Streams, draw_events, open_events
from stochi.deploy import Program, lower
from stochi.export import to_nir
from stochi.train.event_networks import event_mlp
from stochi.train.neurons.choice import NeuronChoice
from stochi.train.training import TrainingConfig, train_classifier

PLAIN, RANDOM, OTHER = "plain LIF", "random τ", "plain LIF, other seed"
KINDS = {PLAIN: ("plain", 0), RANDOM: ("random", 0), OTHER: ("plain", 1)}
RANDOM_PATTERNS = 3
Sides = dict[str, nn.Module | Program]
Networks = dict[str, Sides]


@dataclass(frozen=True)
class Trained:
    """A pattern and the network that it was trained on.

    Attributes:
        network: name of the network.
        pattern: the pattern.
    """

    network: str
    pattern: EventPattern


def main() -> None:
    """Print the table of rates, and draw the patterns if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="saccades")
    parser.add_argument("--data-dir")
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 500])
    parser.add_argument("--refractory", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--iterations", type=int, default=30)
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--figures", type=Path)
    options = parser.parse_args()
    training, test = (part.load() for part in open_events(options.data, options.data_dir))
    networks = {
        name: _train(training, test, kind, seed, options.epochs)
        for name, (kind, seed) in KINDS.items()
    }
    columns = [f"{name}, {side}" for name, sides in networks.items() for side in sides]
    rows = [["trained on", "pattern", "events", *columns]]
    for each in _patterns(networks, training, options):
        rows.append(_row(each.network, [each.pattern], networks, test, options.trials))
        if options.figures is not None and each.network == PLAIN:
            title = each.pattern.form.title.replace(" ", "_").replace("×", "x")
            name = f"{options.data}_{title}_{len(each.pattern.events)}"
            for ending in ("png", "gif"):
                draw_events(each.pattern.frames, options.figures / f"{name}.{ending}")
        if each.network in networks:
            others = [random_like(each.pattern, seed) for seed in range(RANDOM_PATTERNS)]
            rows.append(
                _row(f"best of {RANDOM_PATTERNS} random", others, networks, test, options.trials)
            )
    own = float(test.inputs.sum()) / len(test)
    Output(as_json=False).table(
        rows,
        f"{options.data}, {len(training)} samples to train on, {len(test)} to test with"
        f" {own:.0f} events each on average; fooling rate in % [95 %]",
    )


def _train(training: Streams, test: Streams, kind: str, seed: int, epochs: int) -> Sides:
    """Train a network; return its float model and its Program by the name of the side."""
    shape = (training.inputs.shape[2], training.inputs.shape[3], training.inputs.shape[4])

    def build() -> nn.Module:
        classes = int(training.labels.max()) + 1
        return event_mlp(shape, classes, time_steps=len(training.inputs), neuron=NeuronChoice(kind))

    net, _ = train_classifier(build, training, TrainingConfig(seed=seed, epochs=epochs, shift=1))
    net.eval()
    with torch.no_grad():
        right = float((net(test.inputs).argmax(1) == test.labels).double().mean())
    print(f"{kind}, seed {seed}: {100 * right:.1f} % of the test part", flush=True)
    noise = "decay" if kind == "random" else "none"
    program = lower(to_nir(net, test.inputs[:, :1]), events=True, noise=noise)
    return {"float": net, "chip": program}


def _patterns(
    networks: Networks,
    training: Streams,
    options: argparse.Namespace,
) -> Iterator[Trained]:
    """Train the patterns, one after the other."""
    how = PatternTraining(iterations=options.iterations)
    for name in (PLAIN, RANDOM):
        net = networks[name]["float"]
        assert isinstance(net, nn.Module)
        for count in options.counts:
            budget = EventBudget(count=count, refractory=options.refractory)
            yield Trained(name, train_universal(net, training, budget, training=how))
            noise = search_noise(
                net, training.up_to(200), budget, search=NoiseSearch(candidates=30)
            )
            yield Trained(f"{name}, by answers", noise)
        budget = EventBudget(refractory=options.refractory)
        side = max(4, training.inputs.shape[3] // 4)
        for occludes in (False, True):
            patch = train_patch(net, training, budget, side=side, occludes=occludes, training=how)
            yield Trained(name, patch)


def _row(
    name: str,
    patterns: Sequence[EventPattern],
    networks: Networks,
    test: Streams,
    trials: int,
) -> list[str]:
    """Return the highest rates of some patterns, for each network on each side."""
    first = patterns[0]
    found = [name, first.form.title, str(len(first.events))]
    for sides in networks.values():
        for model in sides.values():
            rates = [
                fooling_rate(model, pattern, test, trials=trials, seed=7).rate
                for pattern in patterns
            ]
            best = max(rates, key=lambda rate: rate.value)
            found.append(f"{100 * best.value:.1f} [{100 * best.low:.0f}, {100 * best.high:.0f}]")
    print(" ".join(found), file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    main()
