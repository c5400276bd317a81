"""All attacks on events: budgets, seeds, state, success and refusals."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from stochi.attacks import (
    EVENT_ATTACK_NAMES,
    Boundary,
    EventBudget,
    GreedySpikes,
    ProbabilisticPGD,
    ProgramModel,
    Retiming,
    SparseGradient,
    SpikeFool,
    make_event_attack,
)
from stochi.attacks.events.base import EventAttack
from stochi.attacks.events.catalogue import event_options_of
from stochi.data import Streams
from stochi.deploy import lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.sim import run
from stochi.train import FreshDraws, twin_of
from tests.attacks.events.drawn_budgets import budgets
from tests.attacks.events.small import answered, event_net, some_events
from tests.thoroughness import examples, with_slow

BATCH = 20
"""Number of samples of an example."""
QUICK: dict[str, dict[str, Any]] = {
    "greedy-spikes": {"candidates": 6},
    "boundary": {"iterations": 12, "starts": 4},
    "sparse-gradient": {"iterations": 8},
    "probabilistic-pgd": {"iterations": 3, "samples": 2},
    "spike-fool": {"iterations": 3, "walk": 2, "prunes": 5},
    "retiming": {"iterations": 3},
    "frame": {"tries": 3},
    "corner": {"tries": 3},
    "dash": {"tries": 3},
    "mask-aware-dash": {"tries": 3},
}
"""Fewer iterations than usual, for random budgets."""
SPARING = ("greedy-spikes", "boundary", "sparse-gradient", "spike-fool", "retiming")
"""Attacks that stop when a sample is wrong; the others use their whole budget."""
WITH_GRADIENTS = tuple(n for n in EVENT_ATTACK_NAMES if "surrogates" in event_options_of(n))
LONG = ("greedy-spikes", "boundary", "spike-fool", "frame", "corner", "dash", "mask-aware-dash")
"""Attacks that ask a Program so often that the test is slow."""
MOVES = EventBudget(8, kinds=("move-time",), max_delay=2)
MOVES_AND_INSERTS = EventBudget(8, kinds=("insert", "move-time"), max_delay=2)


def make(name: str, budget: EventBudget | int, **options: Any) -> EventAttack:
    """Make an attack, with options that the catalogue does not take."""
    kind = type(make_event_attack(name, MOVES_AND_INSERTS))
    return kind(budget=budget, **options)


def budget_for(name: str, count: int = 6) -> EventBudget:
    return MOVES if name == "retiming" else EventBudget(count)


def hold(
    name: str, budget: EventBudget, seed: int, share: float, random: bool, samples: int = BATCH
) -> None:
    """Assert that an attack's samples are within a budget, or that it refuses the budget."""
    clean, net = some_events(samples, seed, share), event_net(random, seed % 5)
    options = QUICK.get(name, {}) | ({} if name == "random-events" else {"draws": 2})
    try:
        attack = make(name, budget, seed=seed, **options)
    except InputError as error:
        usable = type(make_event_attack(name, MOVES_AND_INSERTS)).usable
        assert not set(usable) & set(budget.kinds), error
        return
    found = attack(net, clean, answered(net, clean))
    assert bool(budget.holds(clean, found).all())
    assert found.shape == clean.shape and found.dtype == clean.dtype


@pytest.mark.parametrize("name", with_slow(EVENT_ATTACK_NAMES, LONG))
@examples(3, 10)
@given(budgets, st.integers(0, 999), st.sampled_from([0.0, 0.02, 0.3, 0.9]), st.booleans())
def test_all_samples_are_within_the_budget(
    name: str, budget: EventBudget, seed: int, share: float, random: bool
) -> None:
    hold(name, budget, seed, share, random)


@pytest.mark.slow
@pytest.mark.parametrize("name", EVENT_ATTACK_NAMES)
@settings(max_examples=1000, deadline=None)
@given(budgets, st.integers(0, 9999), st.floats(0, 1), st.booleans())
def test_thousand_budgets_are_kept(
    name: str, budget: EventBudget, seed: int, share: float, random: bool
) -> None:
    hold(name, budget, seed, share, random, samples=2)


@pytest.mark.parametrize(
    "random",
    [pytest.param(False, id="plain", marks=pytest.mark.slow), pytest.param(True, id="random")],
)
@pytest.mark.parametrize("name", with_slow(EVENT_ATTACK_NAMES, ("boundary", "frame", "dash")))
def test_the_seed_decides_and_the_model_stays_as_it_was(name: str, random: bool) -> None:
    net, clean = event_net(random), some_events(12)
    labels = answered(net, clean)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    torch.manual_seed(3)
    state = torch.get_rng_state()
    shown = clean.clone()
    attack = make_event_attack(name, budget_for(name), draws=2, seed=1)
    first, second = attack(net, shown, labels), attack(net, shown, labels)
    assert torch.equal(first, second) and torch.equal(shown, clean)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    if name in ("random-events", "greedy-spikes"):  # the others may find the same changes
        options = {"candidates": 3} if name == "greedy-spikes" else {}
        one, other = (make(name, 6, seed=seed, **options)(net, clean, labels) for seed in (1, 2))
        assert not torch.equal(one, other)


@pytest.mark.parametrize("name", [n for n in EVENT_ATTACK_NAMES if n != "random-events"])
def test_attacks_succeed_more_often_than_random_changes(name: str) -> None:
    net, clean = event_net(), some_events(60)
    labels, budget = answered(net, clean), budget_for(name, 4)

    def wrong(attack: EventAttack) -> int:
        return int((answered(net, attack(net, clean, labels)) != labels).sum())

    assert wrong(make_event_attack(name, budget)) > wrong(
        make_event_attack("random-events", budget)
    )


@pytest.mark.parametrize("name", EVENT_ATTACK_NAMES)
def test_nothing_is_changed_without_a_budget(name: str) -> None:
    net, clean = event_net(), some_events(5)
    attack = make_event_attack(name, budget_for(name).with_count(0))
    assert torch.equal(attack(net, clean, answered(net, clean)), clean)


@pytest.mark.parametrize("name", ["random-events", "probabilistic-pgd", *SPARING])
def test_samples_without_events_have_none_to_move(name: str) -> None:
    net, clean = event_net(), some_events(3, share=0.0)
    assert torch.equal(make_event_attack(name, MOVES)(net, clean, answered(net, clean)), clean)


@pytest.mark.parametrize("name", SPARING)
def test_a_wrong_sample_needs_no_change(name: str) -> None:
    net, clean = event_net(), some_events(20)
    labels = (answered(net, clean) + 1) % 3
    assert torch.equal(make_event_attack(name, budget_for(name))(net, clean, labels), clean)


@pytest.mark.parametrize("name", with_slow(EVENT_ATTACK_NAMES, LONG))
def test_twins_and_programs_are_attacked(name: str) -> None:
    net, clean = event_net(random=True), some_events(5)
    program = lower(to_nir(net, clean[:, :1]), events=True)
    labels = run(program, clean, seed=1).predictions()
    attack = make_event_attack(name, budget_for(name), draws=2, iterations=3)
    twin = FreshDraws(twin_of(program, net, clean[:, :1]), seed=1)
    assert bool(attack.allowed.holds(clean, attack(twin, clean, labels)).all())
    if attack.uses_gradients:
        with pytest.raises(InputError, match="twin_of"):
            attack(ProgramModel(program, 9), clean, labels)
        return
    first, second = (attack(ProgramModel(program, 9), clean, labels) for _ in range(2))
    assert torch.equal(first, second) and bool(attack.allowed.holds(clean, first).all())


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_GRADIENTS)
def test_several_surrogates_compete(name: str) -> None:
    net, clean = event_net(), some_events(30)
    labels = answered(net, clean)

    def wrong(surrogates: str) -> int:
        attack = make_event_attack(name, budget_for(name, 3), surrogates=surrogates)
        return int((answered(net, attack(net, clean, labels)) != labels).sum())

    both = wrong("own,adaptive")
    assert both >= max(wrong("own"), wrong("adaptive")) > 0
    attack = make_event_attack(name, budget_for(name), surrogates="own,adaptive")
    assert set(attack.run(net, clean, labels).by) <= {
        make_event_attack(name, budget_for(name), surrogates=s).title for s in ("own", "adaptive")
    }


@pytest.mark.parametrize("sampling", ["gumbel", "straight-through"])
def test_both_samplings_climb(sampling: str) -> None:
    net, clean = event_net(), some_events(40)
    labels = answered(net, clean)
    found = ProbabilisticPGD(3, sampling=sampling)(net, clean, labels)
    random = make_event_attack("random-events", 3)(net, clean, labels)
    wrong = [int((answered(net, x) != labels).sum()) for x in (found, random)]
    assert wrong[0] > wrong[1] + 5


def test_retiming_moves_only_in_time_whatever_else_is_allowed() -> None:
    everything = EventBudget(
        9,
        kinds=("insert", "delete", "flip", "move-time", "move-space"),
        max_delay=1,
        max_distance=1,
        keep_polarity=False,
    )
    net, clean = event_net(), some_events(20)
    found = Retiming(everything)(net, clean, answered(net, clean))
    assert bool(EventBudget(9, kinds=("move-time",), max_delay=1).holds(clean, found).all())
    assert torch.equal(found.sum(0), clean.sum(0)) and not torch.equal(found, clean)
    with pytest.raises(InputError, match="Retiming needs 'move-time'"):
        Retiming(9)


def test_no_change_of_a_successful_sparse_attack_can_be_left_out() -> None:
    net, clean = event_net(), some_events(40)
    labels = answered(net, clean)
    found = SparseGradient(10)(net, clean, labels)
    assert int((answered(net, found) != labels).sum()) > 20
    for sample in (answered(net, found) != labels).nonzero().flatten().tolist():
        one, label = found[:, sample : sample + 1], labels[sample]
        for place in (one != clean[:, sample : sample + 1]).nonzero().tolist():
            less = one.clone()
            less[tuple(place)] = 1 - less[tuple(place)]
            assert answered(net, less)[0] == label


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "fgsm"}, "attack is 'fgsm'; choose from random-events"),
        ({"name": "sparse-gradient", "iterations": 0}, "iterations is 0"),
        ({"name": "boundary", "draws": 0}, "draws is 0"),
        ({"name": "spike-fool", "budget": 1.5}, "budget is 1.5"),
        ({"name": "retiming", "budget": 3}, "allows insert, delete; Retiming needs 'move-time'"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_event_attack(**{"budget": 3, **options})


class Coin(nn.Module):
    """Answers class 1 by chance, and surely if an event is at the first place."""

    def __init__(self, chance: float) -> None:
        super().__init__()
        self.chance, self.rows = chance, 0

    def forward(self, events: torch.Tensor) -> torch.Tensor:
        self.rows += events.shape[1]
        lead = (torch.rand(events.shape[1]) < self.chance).float() - 0.5
        lead = torch.where(events[0, :, 0, 0, 0] > 0, 0.6, lead)
        # An event anywhere gives a gradient; the first place is the only one that matters.
        return torch.stack([-lead, lead + 1e-6 * events[0, :, 0, 0, 0]], 1)


@pytest.mark.parametrize(
    "attack",
    [
        GreedySpikes(2, candidates=200, draws=1),
        SpikeFool(2, draws=2),
        Boundary(2, draws=2, starts=4, iterations=60),
    ],
    ids=lambda attack: type(attack).__name__,
)
def test_a_lucky_draw_ends_no_search(attack: EventAttack) -> None:
    clean, labels = torch.zeros(4, 24, 2, 3, 3), torch.zeros(24).long()
    pool = Streams(torch.ones(4, 3, 2, 3, 3), torch.ones(3).long())
    if isinstance(attack, Boundary):
        attack = replace(attack, pool=pool)
    model = Coin(0.7)
    found = attack(model, clean, labels)
    assert int((found[0, :, 0, 0, 0] > 0).sum()) >= 22


def test_a_boundary_starts_at_the_nearest_of_another_class() -> None:
    clean, labels = torch.zeros(2, 1, 2, 2, 2), torch.zeros(1).long()
    near, far, own = torch.zeros(3, 2, 2, 2, 2)
    near[0, 0, 0, 0] = near[0, 1, 1, 1] = far[0] = own[0, 0, 0, 0] = 1
    pool = Streams(torch.stack([far, near, own], 1), torch.tensor([1, 1, 0]))
    attack = Boundary(2, pool=pool)
    starts = attack.find_nearest(clean.flatten().bool()[None], labels)
    assert torch.equal(starts[0, 0], near.flatten().bool())
    found = Boundary(1, starts=1, pool=pool)(Coin(0), clean, labels)
    assert found.sum() == 1 and found[0, 0, 0, 0, 0] == 1
    same_class = Streams(pool.inputs, labels.expand(3))
    assert torch.equal(Boundary(1, starts=1, pool=same_class)(Coin(0), clean, labels), clean)
    for wrong in (
        Streams(torch.zeros(2, 0, 2, 2, 2), labels[:0]),
        Streams(far[:, None, :1], labels),
    ):
        with pytest.raises(InputError, match="Boundary needs at least one, of as many places"):
            Boundary(1, pool=wrong)(Coin(0), clean, labels)


def test_both_names_of_the_budget_of_greedy_spikes() -> None:
    assert GreedySpikes(3) == GreedySpikes(flips=3) == GreedySpikes(budget=EventBudget(3))
    for options in ({}, {"flips": 1, "budget": 1}):
        with pytest.raises(InputError, match="give one of them"):
            GreedySpikes(**options)


def test_names_tell_what_may_change() -> None:
    assert SparseGradient(5).name == "sparse gradient-100 (EOT 10), 5 events"
    assert Retiming(MOVES).name == "retiming-30 (EOT 10) [move ≤ 2 steps], 8 events"
    share = EventBudget(share=0.1, kinds=("delete",))
    assert GreedySpikes(share).name == "greedy flips (EOT 10) [10 % of the events: delete]"
