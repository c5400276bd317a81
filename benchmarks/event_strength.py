"""Attacks on events beside the best changes of at most three events, found by trying all.

    .venv/bin/python -m benchmarks.event_strength

The networks are tiny, 2×3×3 places and 4 time steps, with random weights. A sample can be fooled if
some set of at most that many insertions and deletions makes the answer wrong; an attack's success
is its share of these samples.
"""

import argparse
from collections import OrderedDict
from itertools import combinations

import snntorch as snn
import torch
from torch import nn

from stochi.attacks import EVENT_ATTACK_NAMES, EventBudget, make_event_attack
from stochi.commands.console import Output
from stochi.train import RandomTauLeaky, RepeatSteps

STEPS, SHAPE = 4, (2, 3, 3)
AT_A_TIME = 2**15
"""Number of changed samples that a network is shown at once."""


def event_net(random: bool = False, seed: int = 0, strength: float = 4.0) -> RepeatSteps:
    """Build 18-16-3 for events, plain or with random τ, with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        first, last = nn.Linear(18, 16), nn.Linear(16, 3)
    with torch.no_grad():
        for layer in (first, last):
            layer.weight *= strength
    neuron: nn.Module = (
        RandomTauLeaky(threshold=0.3, init_hidden=True)
        if random
        else snn.Leaky(beta=0.7, threshold=0.5, init_hidden=True)
    )
    layers = OrderedDict[str, nn.Module](flatten=nn.Flatten(), fc1=first, lif1=neuron, fc2=last)
    return RepeatSteps(nn.Sequential(layers), STEPS, events=True).eval()


def some_events(samples: int, seed: int = 0, share: float = 0.3) -> torch.Tensor:
    """Draw (STEPS, samples, *SHAPE) events."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(STEPS, samples, *SHAPE, generator=generator) < share).float()


def fewest_flips(net: nn.Module, clean: torch.Tensor, label: int, most: int) -> int:
    """Return the fewest insertions and deletions that make a network wrong; ``most + 1`` if none.

    Args:
        net: events → logits, not random.
        clean: (time_steps, 1, *shape), one sample.
        label: the class that it answers.
        most: largest number that is tried.
    """
    places = clean.numel()
    for count in range(1, most + 1):
        sets = torch.tensor(list(combinations(range(places), count)))
        for some in sets.split(AT_A_TIME):
            flipped = torch.zeros(len(some), places, dtype=torch.bool).scatter_(1, some, True)
            events = clean.flatten().bool() ^ flipped
            frames = events.view(-1, len(clean), *clean.shape[2:]).transpose(0, 1).float()
            with torch.no_grad():
                if bool((net(frames).argmax(1) != label).any()):
                    return count
    return most + 1


def main() -> None:
    """Print each attack's success, beside the best, for up to 1, 2 and 3 changes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--networks", type=int, default=4)
    options = parser.parse_args()
    limits = (1, 2, 3)
    fooled = {name: [0] * len(limits) for name in ("all changes", *EVENT_ATTACK_NAMES)}
    for seed in range(options.networks):
        net, clean = event_net(seed=seed), some_events(options.samples, seed)
        with torch.no_grad():
            labels = net(clean).argmax(1)
        pairs = zip(clean.split(1, 1), labels.tolist(), strict=True)
        fewest = torch.tensor([fewest_flips(net, x, label, limits[-1]) for x, label in pairs])
        for place, limit in enumerate(limits):
            fooled["all changes"][place] += int((fewest <= limit).sum())
            for name in EVENT_ATTACK_NAMES:
                if name == "retiming":
                    continue
                found = make_event_attack(name, EventBudget(limit))(net, clean, labels)
                with torch.no_grad():
                    fooled[name][place] += int((net(found).argmax(1) != labels).sum())
    best = fooled["all changes"]
    rows = [["attack", *(f"≤ {limit} events" for limit in limits)]]
    for name, counts in fooled.items():
        if name != "retiming":
            shares = (f"{c} ({100 * c / b:.0f} %)" for c, b in zip(counts, best, strict=True))
            rows.append([name, *shares])
    total = options.samples * options.networks
    Output(as_json=False).table(rows, f"Samples fooled, of {total}")


if __name__ == "__main__":
    main()
