"""Attacks on events beside the best changes of few events, found by trying all."""

import pytest
import torch

from benchmarks.event_strength import fewest_flips
from stochi.attacks import (
    Boundary,
    EventBudget,
    GreedySpikes,
    ProbabilisticPGD,
    SparseGradient,
    SpikeFool,
    make_event_attack,
)
from stochi.attacks.events.base import EventAttack
from tests.attacks.events.small import answered, event_net, some_events

SAMPLES, MOST = 40, 2


@pytest.fixture(scope="module")
def small() -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A network, samples, their labels, and the fewest flips that fool it, up to ``MOST``."""
    net, clean = event_net(seed=3), some_events(SAMPLES, 3)
    labels = answered(net, clean)
    pairs = zip(clean.split(1, 1), labels.tolist(), strict=True)
    return net, clean, labels, torch.tensor([fewest_flips(net, x, y, MOST) for x, y in pairs])


Small = tuple[torch.nn.Module, torch.Tensor, torch.Tensor, torch.Tensor]


@pytest.mark.parametrize(
    ("attack", "share"),
    [
        (GreedySpikes(MOST), 0.85),
        (SparseGradient(MOST), 0.85),
        (ProbabilisticPGD(MOST), 0.65),
        (SpikeFool(MOST), 0.5),
        (Boundary(MOST), 0.4),
    ],
    ids=lambda value: type(value).__name__,
)
def test_success_beside_the_best_changes(attack: EventAttack, share: float, small: Small) -> None:
    net, clean, labels, fewest = small
    possible = fewest <= MOST
    assert 10 < int(possible.sum()) < SAMPLES
    found = attack(net, clean, labels)
    wrong = answered(net, found) != labels
    assert not bool((wrong & ~possible).any())  # nothing is fooled that cannot be
    assert int(wrong.sum()) >= share * int(possible.sum())
    changes = EventBudget().count_changes(clean, found)
    assert bool((changes[wrong] >= fewest[wrong]).all())


def test_one_change_is_found_by_trying_all(small: Small) -> None:
    net, clean, labels, fewest = small
    found = GreedySpikes(1)(net, clean, labels)
    assert torch.equal(answered(net, found) != labels, fewest == 1)


@pytest.mark.slow
def test_a_larger_budget_does_not_help_the_defender(small: Small) -> None:
    net, clean, labels, _ = small
    for name in ("sparse-gradient", "greedy-spikes", "probabilistic-pgd", "spike-fool"):
        counts = [
            int((answered(net, make_event_attack(name, n)(net, clean, labels)) != labels).sum())
            for n in (1, 3, 8)
        ]
        assert counts == sorted(counts) and counts[0] < counts[2]
