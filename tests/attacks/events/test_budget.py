"""Budgets of attacks on events: the least number of changes, against a search of all of them."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stochi.attacks.events.budget import KINDS, EventBudget
from stochi.errors import InputError

STEPS, HEIGHT, WIDTH = 3, 1, 2
PLACES = list(itertools.product(range(STEPS), range(2), range(HEIGHT), range(WIDTH)))


def frames(events: frozenset[tuple[int, ...]]) -> torch.Tensor:
    """Return one sample with events at these places."""
    sample = torch.zeros(STEPS, 1, 2, HEIGHT, WIDTH)
    for step, *place in events:
        sample[(step, 0, *place)] = 1
    return sample


def fates(budget: EventBudget, event: tuple[int, ...]) -> list[tuple[tuple[int, ...] | None, int]]:
    """Return where one event may end, None if it is deleted, and the cost of that."""
    ends: list[tuple[tuple[int, ...] | None, int]] = [(event, 0)]
    if "delete" in budget.kinds:
        ends.append((None, 1))
    for place in PLACES:
        time, polarity, *space = (abs(a - b) for a, b in zip(event, place, strict=True))
        if place == event or time > budget.max_delay or max(space) > budget.max_distance:
            continue
        moved = time > 0 or max(space) > 0
        turn = "flip" in budget.kinds if not moved else not budget.keep_polarity
        if not polarity or turn:
            ends.append((place, 1))
    return ends


def search(
    budget: EventBudget, clean: frozenset[tuple[int, ...]], attacked: frozenset[tuple[int, ...]]
) -> int:
    """Return the least number of changes by trying every fate of every event, −1 if none does."""
    best = None
    for chosen in itertools.product(*(fates(budget, event) for event in sorted(clean))):
        ends = [place for place, _ in chosen if place is not None]
        if len(set(ends)) < len(ends) or not set(ends) <= attacked:
            continue
        inserted = len(attacked) - len(ends)
        if inserted and "insert" not in budget.kinds:
            continue
        cost = sum(cost for _, cost in chosen) + inserted
        best = cost if best is None else min(best, cost)
    return -1 if best is None else best


budgets = st.builds(
    lambda kinds, keep, delay, distance: EventBudget(
        kinds=tuple(sorted(kinds)),
        max_delay=delay if "move-time" in kinds else 0,
        max_distance=distance if "move-space" in kinds else 0,
        keep_polarity=keep,
    ),
    st.sets(st.sampled_from(KINDS), min_size=1),
    st.booleans(),
    st.integers(1, 2),
    st.just(1),
)
samples = st.frozensets(st.sampled_from(PLACES), max_size=4)


@settings(max_examples=300, deadline=None)
@given(budgets, samples, samples)
def test_least_changes_are_those_of_a_full_search(
    budget: EventBudget,
    clean: frozenset[tuple[int, ...]],
    attacked: frozenset[tuple[int, ...]],
) -> None:
    found = budget.count_changes(frames(clean), frames(attacked))
    assert found.tolist() == [search(budget, clean, attacked)]


def test_an_event_may_take_the_place_of_one_that_moved_away() -> None:
    line = torch.zeros(4, 1, 2, 1, 1)
    clean, attacked = line.clone(), line.clone()
    clean[[0, 1], 0, 0] = 1
    attacked[[1, 2], 0, 0] = 1
    assert EventBudget(kinds=("move-time",), max_delay=1).count_changes(clean, attacked) == 2
    assert EventBudget(kinds=("move-time",), max_delay=2).count_changes(clean, attacked) == 1


@pytest.mark.parametrize(("count", "share", "limit"), [(3, None, 3), (None, 0.5, 2), (1, 0.5, 1)])
def test_limits(count: int | None, share: float | None, limit: int) -> None:
    clean = torch.zeros(3, 1, 2, 2, 2)
    clean[0, 0, 0] = 1
    assert EventBudget(count=count, share=share).limits(clean).tolist() == [limit]


def test_count_is_kept() -> None:
    clean, attacked = torch.zeros(2, 1, 2, 1, 2), torch.ones(2, 1, 2, 1, 2)
    assert EventBudget(count=8).holds(clean, attacked).tolist() == [True]
    assert EventBudget(count=7).holds(clean, attacked).tolist() == [False]


def test_refractory_time_counts_both_polarities_and_spares_the_clean_sample() -> None:
    clean = torch.zeros(5, 1, 2, 1, 1)
    clean[[0, 1], 0, 0] = 1  # closer than any refractory time, as recorded
    attacked = clean.clone()
    attacked[3, 0, 1] = 1
    held = [bool(EventBudget(refractory=r).holds(clean, attacked)) for r in (0, 1, 2, 3, 9)]
    assert held == [True, True, True, False, False]
    attacked[3, 0, 0] = 1  # both polarities in one step
    assert [bool(EventBudget(refractory=r).holds(clean, attacked)) for r in (0, 1)] == [True, False]


def test_each_sample_is_judged_on_its_own() -> None:
    clean = torch.zeros(2, 3, 2, 2, 2)
    attacked = clean.clone()
    attacked[0, 1, 0, 0, 0] = 1
    attacked[:, 2] = 1
    assert EventBudget(1).holds(clean, attacked).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": -1}, "count is -1"),
        ({"count": 1.5}, "count is 1.5"),
        ({"share": float("nan")}, "share is nan"),
        ({"kinds": ()}, "choose from insert"),
        ({"kinds": ("add",)}, "'add'"),
        ({"kinds": ("move-time",)}, "max_delay is 0"),
        ({"max_distance": 2}, "needs 'move-space'"),
        ({"refractory": -2}, "refractory is -2"),
    ],
)
def test_a_budget_out_of_range_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        EventBudget(**arguments)  # type: ignore[arg-type]


def test_events_that_do_not_fit_are_refused() -> None:
    events = torch.zeros(2, 1, 5)
    with pytest.raises(InputError, match="two polarities"):
        EventBudget(kinds=("flip",)).holds(events, events)
    with pytest.raises(InputError, match="exactly 0 or 1"):
        EventBudget(1).holds(events + 0.5, events)
    with pytest.raises(InputError, match="both must be equal"):
        EventBudget(1).holds(events, events[:, :, :4])
