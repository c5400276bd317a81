"""The numbers that attacks on events are compared by."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stochi.attacks import EventBudget, measure_attack
from stochi.attacks.events.metrics import measure_timing
from stochi.errors import InputError


def line(*times: int, steps: int = 6) -> torch.Tensor:
    """Return one sample of one place with events at these times."""
    events = torch.zeros(steps, 1, 1)
    events[list(times)] = 1
    return events


def test_success_counts_samples_that_were_right() -> None:
    clean, attacked = torch.zeros(2, 4, 3), torch.zeros(2, 4, 3)
    clean[:, :, 0] = 1
    attacked[:] = clean
    attacked[0, 0, 1] = attacked[0, 1, 0] = 1
    attacked[:, 1, :] = 1
    attacked[:, 3, 1] = 1
    before = torch.tensor([[True, True, True, False]])
    after = torch.tensor([[False, False, True, False]])
    found = measure_attack(clean, attacked, before, after)
    assert found.success.value == 2 / 3 and found.success.images == 3
    assert 0.2 < found.success.low < 2 / 3 < found.success.high < 0.95
    assert (found.mean_changes, found.median_changes, found.median_share) == (2.5, 2.5, 1.25)
    assert found.timing is None


def test_a_move_is_one_change_if_the_budget_says_so() -> None:
    right = torch.ones(1, 1, dtype=torch.bool)
    budget = EventBudget(kinds=("move-time",), max_delay=3)
    found = measure_attack(line(0, 3), line(2, 3), right, ~right, budget)
    assert found.mean_changes == 1 and found.median_share == 0.5
    assert measure_attack(line(0, 3), line(2, 3), right, ~right).mean_changes == 2
    assert found.timing is not None
    assert (found.timing.largest, found.timing.total, found.timing.moved) == (2, 2, 1)


def test_without_a_success_there_are_no_sizes() -> None:
    right = torch.ones(3, 1, dtype=torch.bool)
    found = measure_attack(line(0), line(0), right, right)
    assert found.success.value == 0 and found.timing is None
    assert str(found.mean_changes) == str(found.median_changes) == "nan"


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True), st.randoms())
def test_delays_are_those_of_the_best_assignment(times: list[int], random: object) -> None:
    other = sorted(random.sample(range(6), len(times)))  # type: ignore[attr-defined]
    found = measure_timing(line(*times), line(*other))
    assert found is not None
    delays = [
        [abs(a - b) for a, b in zip(times, order, strict=True)]
        for order in itertools.permutations(other)
    ]
    assert found.largest == min(max(each) for each in delays)
    assert found.total == min(map(sum, delays))
    assert found.moved == min(sum(map(bool, each)) for each in delays)


def test_changed_counts_are_no_matter_of_timing() -> None:
    assert measure_timing(line(0), line(0, 1)) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"right_clean": torch.ones(1, 2) > 0}, r"right_clean has shape \(1, 2\)"),
        ({"right_clean": torch.zeros(1, 1) > 0}, "no sample is right"),
        ({"budget": EventBudget(kinds=("delete",))}, "1 attacked samples cannot be reached"),
    ],
)
def test_what_cannot_be_measured_is_refused(change: dict[str, object], message: str) -> None:
    right = torch.ones(1, 1, dtype=torch.bool)
    arguments = {"right_clean": right, "right_attacked": ~right, **change}
    with pytest.raises(InputError, match=message):
        measure_attack(line(0), line(0, 1), **arguments)  # type: ignore[arg-type]
