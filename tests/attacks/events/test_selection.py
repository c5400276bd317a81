"""The menu of changes, and the choice among them, against a choice one by one."""

from dataclasses import replace
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stochi.attacks.events.budget import EventBudget
from stochi.attacks.events.menu import Menu, list_changes
from stochi.attacks.events.selection import select
from tests.attacks.events.drawn_budgets import budgets
from tests.attacks.events.small import some_events
from tests.thoroughness import examples


def one_by_one(menu: Menu, values: torch.Tensor, limits: torch.Tensor) -> torch.Tensor:
    """Choose the best change that fits, then the next."""
    made = menu.none()
    for sample in range(len(values)):
        row, chosen = menu.rows(torch.tensor([sample])), menu.none()[sample : sample + 1]
        for column in values[sample].argsort(descending=True).tolist():
            fits = menu.legal[sample, column] and not row.blocked(chosen)[0, column]
            if fits and chosen.sum() < limits[sample] and values[sample, column] > -torch.inf:
                chosen[0, column] = True
        made[sample] = chosen[0]
    return made


@pytest.mark.slow
@examples(10, 40)
@given(budgets, st.integers(0, 999), st.integers(0, 30))
def test_the_selection_is_that_of_a_choice_one_by_one(
    budget: EventBudget, seed: int, limit: int
) -> None:
    clean = some_events(3, seed)
    menu = list_changes(budget, clean)
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(menu.legal.shape, generator=generator)
    values = values.masked_fill(values < 0.1, -torch.inf)
    limits = torch.tensor([limit, 2, 0])
    assert torch.equal(select(menu, values, limits), one_by_one(menu, values, limits))


@settings(max_examples=60, deadline=None)
@given(budgets, st.integers(0, 999))
def test_every_part_of_a_selection_is_within_the_budget(budget: EventBudget, seed: int) -> None:
    clean = some_events(6, seed)
    menu = list_changes(budget, clean)
    values = torch.rand(menu.legal.shape, generator=torch.Generator().manual_seed(seed))
    made = select(menu, values, budget.limits(clean))
    assert bool((made.sum(1) <= budget.limits(clean)).all())
    part = made & (values > 0.7)
    for chosen in (made, part):
        assert bool(budget.holds(clean, menu.frames(menu.events(chosen))).all())
    more = select(menu, values, budget.limits(clean) - part.sum(1), part)
    assert bool(budget.holds(clean, menu.frames(menu.events(part | more))).all())


@examples(10, 40)
@given(budgets, st.integers(0, 999))
def test_the_menu_has_every_single_change(budget: EventBudget, seed: int) -> None:
    clean = some_events(1, seed)[:3, :, :, :1, :2]
    menu = list_changes(budget, clean)
    columns = menu.legal[0].nonzero().flatten()
    listed = {tuple(row.nonzero().flatten().tolist()) for row in _changed(menu, columns)}
    start = menu.clean[0].tolist()
    pairs = [(i,) for i in range(menu.nowhere)]
    pairs += [p for p in combinations(range(menu.nowhere), 2) if start[p[0]] != start[p[1]]]
    tried = menu.clean.repeat(len(pairs), 1)
    for row, pair in enumerate(pairs):
        tried[row, list(pair)] ^= True
    single = replace(budget, count=1, share=None)
    held = single.holds(clean.expand(-1, len(pairs), -1, -1, -1), menu.frames(tried)).tolist()
    assert {pair for pair, good in zip(pairs, held, strict=True) if good} == listed


def _changed(menu: Menu, columns: torch.Tensor) -> torch.Tensor:
    """Return the places that each of these changes of the first sample changes."""
    return menu.each(menu.clean, columns[None])[0] ^ menu.clean
