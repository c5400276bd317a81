"""Speed of the attacks on events, and how the sparse one's grows with steps, events and budget.

    .venv/bin/python -m benchmarks.event_attacks          # OMP_NUM_THREADS=1 for one thread

The network is an MLP of 256 plain LIF neurons, trained for a few seconds on the simulated
saccades. The labels are its own answers, so every sample is right before the attack. Speed is given
twice: in samples per second of the clock, and per second of CPU time of all threads, which other
programs on the machine hardly change. The greedy search runs on few samples, with 64 candidates.
"""

import argparse
import time
from collections import OrderedDict
from dataclasses import replace

import snntorch as snn
import torch
from torch import nn
from torch.nn import functional

from stochi.attacks import (
    EVENT_ATTACK_NAMES,
    EventBudget,
    GreedySpikes,
    make_event_attack,
    measure_attack,
)
from stochi.attacks.events.base import EventAttack
from stochi.commands.console import Output
from stochi.data import load
from stochi.train import RandomTauLeaky, RepeatSteps

HEAD = ["changed", "samples/s", "per CPU s", "success", "median L0", "of the events"]
GREEDY_SAMPLES = 4
MOVES = EventBudget(100, kinds=("move-time",), max_delay=2)


def event_mlp(places: int, time_steps: int, random: bool = False) -> RepeatSteps:
    """Build an MLP of 256 neurons, plain or with random τ."""
    torch.manual_seed(0)
    neuron = (
        RandomTauLeaky(init_hidden=True)
        if random
        else snn.Leaky(beta=0.5, threshold=0.5, init_hidden=True)
    )
    layers = OrderedDict[str, nn.Module](flatten=nn.Flatten(), fc1=nn.Linear(places, 256))
    layers["lif1"], layers["fc2"] = neuron, nn.Linear(256, 10)
    return RepeatSteps(nn.Sequential(layers), time_steps, events=True)


def train(net: RepeatSteps, events: torch.Tensor, labels: torch.Tensor, epochs: int = 8) -> None:
    """Train a network on (time_steps, n, *shape) events."""
    optimizer = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(labels)).split(64):
            optimizer.zero_grad()
            functional.cross_entropy(3 * net(events[:, batch]), labels[batch]).backward()
            optimizer.step()
    net.eval()


def measure(net: nn.Module, attack: EventAttack, clean: torch.Tensor) -> list[str]:
    """Attack samples that the network is right about, and return a row of the table."""
    with torch.no_grad():
        labels = net(clean).argmax(1)
    clock, used = time.perf_counter(), time.process_time()
    found = attack(net, clean, labels)
    clock, used = time.perf_counter() - clock, time.process_time() - used
    with torch.no_grad():
        right = torch.stack([net(found).argmax(1) == labels for _ in range(10)])
    made = measure_attack(clean, found, torch.ones_like(right), right, attack.allowed)
    count = clean.shape[1]
    return [
        f"{count / clock:.1f}",
        f"{count / used:.1f}",
        f"{100 * made.success.value:.0f} %",
        f"{made.median_changes:g}",
        f"{100 * made.median_share:.1f} %",
    ]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--budget", type=int, default=50)
    options = parser.parse_args()
    training, test = load("saccades")
    clean = test.inputs[:, : options.samples].contiguous()
    places, steps = clean[0, 0].numel(), len(clean)
    nets = {kind: event_mlp(places, steps, kind == "random τ") for kind in ("plain", "random τ")}
    for net in nets.values():
        train(net, training.inputs, training.labels)
    output, budget = Output(as_json=False), options.budget
    changes = f"≤ {budget} events of {float(clean.sum()) / options.samples:.0f}"
    changes += f" (retiming: {MOVES.title})"
    output.table(_all_attacks(nets["plain"], clean, budget), f"Plain neurons, {changes}")
    output.table([HEAD, *_growth(nets["plain"], clean, budget)], "Sparse gradient, plain neurons")
    few = clean[:, : max(1, options.samples // 4)].contiguous()
    output.table(_all_attacks(nets["random τ"], few, budget), f"Random τ, EOT 10, {changes}")


def _all_attacks(net: RepeatSteps, clean: torch.Tensor, budget: int) -> list[list[str]]:
    """Return a row for each attack."""
    rows = [HEAD]
    for name in EVENT_ATTACK_NAMES:
        attack = make_event_attack(name, MOVES if name == "retiming" else budget)
        shown = clean
        if isinstance(attack, GreedySpikes):
            attack, shown = replace(attack, candidates=64), clean[:, :GREEDY_SAMPLES]
        rows.append([name, *measure(net, attack, shown)])
    return rows


def _growth(net: RepeatSteps, clean: torch.Tensor, budget: int) -> list[list[str]]:
    """Return rows of the sparse attack with other budgets, events and time steps."""

    def row(name: str, count: int, events: torch.Tensor) -> list[str]:
        net.time_steps = len(events)
        return [name, *measure(net, make_event_attack("sparse-gradient", count), events)]

    generator = torch.Generator().manual_seed(0)
    chance = torch.rand(clean.shape, generator=generator)
    rows = [row(f"budget {count}", count, clean) for count in (5, 20, 100, 500)]
    for share in (0.25, 0.5, 1.0):
        rows.append(row(f"{100 * share:g} % of the events", budget, clean * (chance < share)))
    for steps in (5, 10, 20):
        longer = torch.cat([clean, clean.flip(0)])[:steps]
        rows.append(row(f"{steps} time steps", budget, longer))
    return rows


if __name__ == "__main__":
    main()
