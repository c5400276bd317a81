"""Attacks that insert patterns: their budgets, their shapes, and what the mask filter sees."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from stochi.attacks.events.budget import EventBudget, as_budget
from stochi.attacks.events.corner import CORNERS, CornerAttack, Triangles
from stochi.attacks.events.dash import WAYS, DashAttack, MovingDash
from stochi.attacks.events.frame import Border, FrameAttack, border_walk
from stochi.attacks.events.insertion import UNUSED, insert_in_order
from stochi.attacks.events.mask_aware_dash import MaskAwareDashAttack
from stochi.attacks.events.menu import Grid, list_changes
from stochi.attacks.events.patterns import PatternAttack, polarity_choices
from stochi.data.events.filters import MaskFilter
from stochi.errors import InputError

ATTACKS: dict[str, Callable[..., PatternAttack]] = {
    "frame": FrameAttack,
    "corner": partial(CornerAttack, size=2),
    "dash": DashAttack,
    "mask-aware-dash": MaskAwareDashAttack,
}
LARGEST = 10**9


def insert(
    clean: torch.Tensor, ranks: torch.Tensor, budget: EventBudget | int, activity: int | None = None
) -> torch.Tensor:
    budget = as_budget(budget)
    menu = list_changes(budget.only(["insert"]), clean)
    return menu.frames(insert_in_order(menu, ranks, budget.limits(clean), activity))


class Counter(nn.Module):
    """Answers with random weights on the places, the same at every call."""

    def forward(self, events: torch.Tensor) -> torch.Tensor:
        places = events.transpose(0, 1).flatten(1)
        weights = torch.linspace(-1, 1, 3 * places.shape[1]).sin() * 7
        return places @ weights.view(-1, 3)


@st.composite
def events(draw: st.DrawFn) -> torch.Tensor:
    """Draw samples of events, (time_steps, n, *shape)."""
    dims = draw(st.integers(1, 3))
    steps, samples = draw(st.integers(1, 6)), 4
    shape = [draw(st.integers(1, 5)) for _ in range(dims)]
    if dims == 3:
        shape[0] = draw(st.integers(1, 2))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    drawn = torch.rand(steps, samples, *shape, generator=generator)
    return (drawn < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))).float()


budgets = st.builds(
    EventBudget,
    count=st.none() | st.integers(0, 20),
    share=st.none() | st.floats(0, 2),
    refractory=st.integers(0, 4),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTACKS)
@settings(max_examples=250, deadline=None)
@given(clean=events(), budget=budgets, seed=st.integers(0, 99))
def test_no_result_leaves_its_budget(
    name: str, clean: torch.Tensor, budget: EventBudget, seed: int
) -> None:
    attack = ATTACKS[name](budget, seed, tries=2)
    grid = Grid(clean.shape[0], *(1,) * (5 - clean.dim()), *clean.shape[2:])
    variants = attack.patterns(grid)
    ranks = variants[seed % len(variants)].ranks(grid)
    attacked = insert(clean, ranks, budget, attack.activity)
    assert ((attacked == 0) | (attacked == 1)).all() and (attacked >= clean).all()
    assert budget.holds(clean, attacked).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTACKS)
@settings(max_examples=50, deadline=None)
@given(clean=events(), budget=budgets, seed=st.integers(0, 99))
def test_an_attack_keeps_its_worst_variant(
    name: str, clean: torch.Tensor, budget: EventBudget, seed: int
) -> None:
    model, labels = Counter(), torch.arange(clean.shape[1]) % 3
    attack = ATTACKS[name](budget, seed, tries=5)
    found = attack.run(model, clean, labels)
    assert budget.holds(clean, found.inputs).all()
    assert torch.equal(found.inputs, attack(model, clean, labels))
    loss = nn.CrossEntropyLoss(reduction="none")
    before, after = (model(shown) for shown in (clean, found.inputs))
    right = [answer.argmax(1) == labels for answer in (before, after)]
    worse = loss(after, labels) >= loss(before, labels)
    assert (right[1] <= right[0]).all() and (worse | (right[1] < right[0])).all()
    for part, same in zip(found.by, (found.inputs == clean).flatten(2).all(2).all(0), strict=True):
        assert part == "unchanged" or (part.startswith(attack.title) and not same)


def test_a_budget_is_spent_on_places_that_take_events() -> None:
    clean, grid = torch.zeros(10, 2, 2, 8, 8), Grid(10, 2, 8, 8)
    clean[:, 1, :, 0] = 1
    for name, attack in (ATTACKS | {"corner": CornerAttack}).items():
        for pattern in attack(0).patterns(grid):
            ranks = pattern.ranks(grid)
            attacked = insert(clean, ranks, 12, attack(0).activity)
            added = (attacked - clean).flatten(2).sum((0, 2))
            assert added.tolist() == [12, 12], (name, pattern.name)


def test_a_frame_lies_on_the_border_alone() -> None:
    inner = (slice(None),) * 2 + (slice(1, -1),) * 2
    grid = Grid(6, 2, 5, 7)
    for pattern in FrameAttack(0).patterns(grid):
        used = pattern.ranks(grid) != UNUSED
        assert not used[inner].any()
        for polarity in range(2):
            expected = 6 * border_walk(5, 7).shape[0] if polarity in pattern.polarities else 0
            assert used[:, polarity].sum() == expected == 6 * 20 * (expected > 0)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (4, 1), (2, 2), (2, 5), (3, 3), (6, 4)])
def test_the_border_is_walked_once_from_neighbour_to_neighbour(size: tuple[int, int]) -> None:
    walk = border_walk(*size)
    on = torch.ones(size, dtype=torch.bool)
    on[1:-1, 1:-1] = False
    assert sorted(map(tuple, walk.tolist())) == sorted(map(tuple, on.nonzero().tolist()))
    assert (walk.diff(dim=0).abs().sum(1) == 1).all()


def test_a_frame_fills_its_borders_one_after_the_other() -> None:
    grid, clean = Grid(8, 2, 4, 4), torch.zeros(8, 1, 2, 4, 4)
    whole = Border("", (1,), 1, True)
    attacked = insert(clean, whole.ranks(grid), 24)
    assert attacked[2:4].sum((1, 2, 3, 4)).tolist() == [12, 12] and attacked.sum() == 24
    side = Border("", (1,), 1, False)
    attacked = insert(clean, side.ranks(grid), 24)
    assert attacked[:, 0, 1].nonzero()[:, 1:].unique(dim=0).tolist() == [[0, 3], [1, 3], [2, 3]]


@pytest.mark.parametrize("where", CORNERS)
def test_corners_grow_from_the_corner(where: str) -> None:
    grid, clean = Grid(3, 2, 6, 6), torch.zeros(3, 1, 2, 6, 6)
    pattern = Triangles("", (0,), CORNERS[where], 3)
    rows, columns = torch.arange(6)[:, None], torch.arange(6)
    away = torch.minimum(rows, 5 - rows) + torch.minimum(columns, 5 - columns)
    used = pattern.ranks(grid) != UNUSED
    corners = len(CORNERS[where])
    assert used.sum() == 3 * 6 * corners and (away[used.any(0).any(0)] < 3).all()
    attacked = insert(clean, pattern.ranks(grid), 3 * corners)
    assert attacked[:, 0, 0].sum(0).equal(3.0 * (away == 0) * used[0, 0])
    more = insert(clean, pattern.ranks(grid), 9 * corners)
    assert more[:, 0, 0].sum(0).equal(3.0 * (away <= 1) * used[0, 0])


def test_a_dash_moves_by_its_length() -> None:
    grid, clean = Grid(6, 2, 4, 9), torch.zeros(6, 1, 2, 4, 9)
    ranks = MovingDash("", (1,), WAYS["left"], 2, 2, 2).ranks(grid)
    attacked = insert(clean, ranks, 12)
    assert not attacked[:, :, 0].any()
    assert attacked[:, 0, 1].sum(2).nonzero()[:, 1].unique().tolist() == [1]
    columns = [step.nonzero().flatten().tolist() for step in attacked[:, 0, 1, 1]]
    assert columns == [[7, 8]] * 2 + [[5, 6]] * 2 + [[3, 4]] * 2
    down = MovingDash("", (1,), WAYS["down"], 0, 2, 3).ranks(grid)
    attacked = insert(clean, down, 12)
    rows = [step.nonzero().flatten().tolist() for step in attacked[:, 0, 1, :, 0]]
    assert rows == [[0, 1]] * 3 + [[2, 3]] * 3


@settings(max_examples=200, deadline=None)
@given(events().filter(lambda e: e.dim() == 5), st.integers(1, 5), st.integers(0, 95))
def test_the_mask_filter_passes_every_event_of_the_aware_dash(
    clean: torch.Tensor, most: int, number: int
) -> None:
    grid = Grid(clean.shape[0], *clean.shape[2:])
    attack = MaskAwareDashAttack(LARGEST, most=most)
    variants = attack.patterns(grid)
    ranks = variants[number % len(variants)].ranks(grid)
    attacked = insert(clean, ranks, attack.allowed, attack.activity)
    seen = MaskFilter(most)
    assert torch.equal(seen(attacked) - seen(clean), attacked - clean)


def test_the_mask_filter_stops_a_dash_that_does_not_know_it() -> None:
    clean, grid = torch.zeros(10, 1, 2, 8, 8), Grid(10, 2, 8, 8)
    passed = {}
    for attack in (DashAttack(40), MaskAwareDashAttack(40, most=2)):
        name = polarity_choices(grid)["all polarities"]
        ranks = MovingDash("", name, WAYS["right"], 0, 2, 3).ranks(grid)
        attacked = insert(clean, ranks, attack.allowed, attack.activity)
        assert attacked.sum() == 40
        passed[type(attack)] = int(MaskFilter(2)(attacked).sum())
    # A plain dash has 6 events at a pixel, only its last place gets 2: one time step of ten.
    assert passed == {DashAttack: 4, MaskAwareDashAttack: 40}


@pytest.mark.parametrize("name", ATTACKS)
def test_mistakes_are_named(name: str) -> None:
    with pytest.raises(InputError, match="needs 'insert' among its kinds"):
        ATTACKS[name](EventBudget(3, kinds=("delete",)))
    with pytest.raises(InputError, match="tries is 0"):
        ATTACKS[name](3, tries=0)


def test_numbers_of_a_pattern_are_checked() -> None:
    for make, message in (
        (partial(CornerAttack, 1, size=0), "size is 0"),
        (partial(DashAttack, 1, length=0), "length is 0"),
        (partial(DashAttack, 1, dwell=1.5), "dwell is 1.5"),
        (partial(MaskAwareDashAttack, 1, most=0), "most is 0"),
    ):
        with pytest.raises(InputError, match=message):
            make()  # type: ignore[operator]
