"""Patterns of events: where their events end, and that every sample stays within its budget."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stochi.attacks import (
    AppliedPattern,
    EventBudget,
    EventPattern,
    Offsets,
    PatternForm,
    PatternTraining,
    random_like,
    train_patch,
    train_universal,
)
from stochi.attacks.events.event_choice import choose_events
from stochi.attacks.events.offsets import shifted_by
from stochi.attacks.events.procedural import GaborNoise, PerlinNoise
from stochi.attacks.events.universal import universal_form
from stochi.attacks.events.window_budget import WindowBudget, in_window
from stochi.data import Streams
from stochi.errors import InputError
from tests.attacks.events.toy import TwoSides
from tests.thoroughness import examples

SHAPE = (5, 2, 6, 7)


def samples(seed: int, count: int = 4, rate: float = 0.3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    steps, *shape = SHAPE
    return (torch.rand(steps, count, *shape, generator=generator) < rate).float()


def form(**changes: object) -> PatternForm:
    whole = PatternForm(SHAPE[2:], SHAPE, Offsets(), EventBudget())
    return dataclasses.replace(whole, **changes)  # type: ignore[arg-type]


def random_pattern(chosen: PatternForm, seed: int) -> EventPattern:
    return choose_events(
        chosen, torch.rand(chosen.grid, generator=torch.Generator().manual_seed(seed))
    )


ranges = st.tuples(st.integers(-8, 8), st.integers(0, 6)).map(lambda r: (r[0], r[0] + r[1]))
budgets = st.builds(
    EventBudget,
    count=st.none() | st.integers(0, 60),
    share=st.none() | st.floats(0, 1),
    refractory=st.integers(0, 7),
)
forms = st.builds(
    PatternForm,
    size=st.tuples(st.integers(1, SHAPE[2]), st.integers(1, SHAPE[3])),
    shape=st.just(SHAPE),
    offsets=st.builds(Offsets, ranges, ranges, ranges),
    budget=budgets,
    occludes=st.booleans(),
)


@examples(150, 1000)
@given(forms, st.integers(0, 2**64 - 1), st.floats(0, 1))
def test_every_sample_is_within_its_budget(chosen: PatternForm, seed: int, rate: float) -> None:
    windowed = dataclasses.replace(chosen, budget=in_window(chosen.budget, chosen.size))
    pattern, clean = random_pattern(windowed, seed % 2**32), samples(seed % 2**32, 2, rate)
    attacked = pattern.apply(clean, seed)
    assert windowed.budget.holds(clean, attacked).all()


@settings(max_examples=100, deadline=None)
@given(forms, st.integers(0, 2**32 - 1), st.floats(0, 0.6), st.integers(0, 40))
def test_a_random_pattern_inserts_as_many_events_as_the_one_it_is_like(
    chosen: PatternForm, seed: int, rate: float, most: int
) -> None:
    scores = torch.rand(chosen.grid, generator=torch.Generator().manual_seed(seed))
    pattern, clean = choose_events(chosen, scores, most), samples(seed, 3, rate)
    random = random_like(pattern, seed + 1)
    ours, theirs = (each.apply(clean, seed) for each in (pattern, random))
    assert pattern.budget.holds(clean, theirs).all()
    added = [((each > clean).flatten(2).sum((0, 2))) for each in (ours, theirs)]
    assert (added[1] <= added[0]).all()
    if not chosen.occludes:
        full = dataclasses.replace(chosen, budget=EventBudget(refractory=chosen.budget.refractory))
        room = choose_events(full, scores_of(full, seed + 1)).apply(clean, seed)
        possible = (room > clean).flatten(2).sum((0, 2))
        assert torch.equal(added[1], torch.minimum(added[0], possible))


def scores_of(chosen: PatternForm, seed: int) -> torch.Tensor:
    return torch.rand(chosen.grid, generator=torch.Generator().manual_seed(seed))


def test_a_random_pattern_follows_the_budget_of_the_one_it_is_like() -> None:
    pattern = random_pattern(form(budget=EventBudget(20, refractory=2)), 0)
    random, clean = random_like(pattern, 3), samples(0)
    assert random == random_like(pattern, 3) != random_like(pattern, 4)
    assert len(random.events) == 20 and random.events != pattern.events
    few = random.up_to(5)
    assert few == random_like(pattern.up_to(5), 3)
    added = [(p.up_to(5).apply(clean) > clean).flatten(2).sum((0, 2)) for p in (pattern, random)]
    assert torch.equal(*added)
    attack = AppliedPattern.of(random, seed=3)
    assert torch.equal(attack(TwoSides(), clean, torch.zeros(4).long()), random.apply(clean, 3))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["universal", "patch", "perlin", "gabor"])
@settings(max_examples=1000, deadline=None)
@given(budgets, st.integers(0, 2**32 - 1), st.floats(0, 1), st.booleans())
def test_thousand_budgets_are_kept(
    kind: str, budget: EventBudget, seed: int, rate: float, occludes: bool
) -> None:
    clean, labels = samples(seed, 4, rate), torch.arange(4) % 2
    streams, how = Streams(clean, labels), PatternTraining(2, 2, 1, seed=seed)
    if kind == "universal":
        pattern = train_universal(TwoSides(), streams, budget, training=how)
    elif kind == "patch":
        side, options = 1 + seed % 5, {"occludes": occludes, "training": how}
        pattern = train_patch(TwoSides(), streams, budget, side=side, **options)
    else:
        noise = PerlinNoise(4, 3, seed) if kind == "perlin" else GaborNoise(4, 3, seed)
        counted = dataclasses.replace(budget, count=budget.count or 7)
        pattern = noise.pattern(universal_form(streams, counted))
    for shown in (pattern, random_like(pattern, seed)):
        assert pattern.budget.holds(clean, shown.apply(clean, seed)).all()


def by_hand(pattern: EventPattern, clean: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    """Insert a pattern event by event, and hide a window pixel by pixel."""
    steps, _, height, width = SHAPE
    found = clean.clone()
    for sample, (later, down, right) in enumerate(shifts.tolist()):
        if pattern.form.occludes:
            for row in range(pattern.form.size[0]):
                for column in range(pattern.form.size[1]):
                    if 0 <= row + down < height and 0 <= column + right < width:
                        found[:, sample, :, row + down, column + right] = 0
        for time, polarity, row, column in pattern.events:
            if 0 <= row + down < height and 0 <= column + right < width:
                found[(time + later) % steps, sample, polarity, row + down, column + right] = 1
    return found


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(st.integers(1, SHAPE[2]), st.integers(1, SHAPE[3])),
    st.lists(
        st.tuples(st.integers(-9, 9), st.integers(-7, 7), st.integers(-8, 8)),
        min_size=4,
        max_size=4,
    ),
    st.booleans(),
    st.integers(0, 1000),
)
def test_a_shifted_pattern_is_what_shifting_by_hand_gives(
    size: tuple[int, int], shifts: list[tuple[int, int, int]], occludes: bool, seed: int
) -> None:
    chosen = form(size=size, occludes=occludes)
    scores = torch.rand(chosen.grid, generator=torch.Generator().manual_seed(seed))
    pattern = choose_events(chosen, scores.where(scores > 0.8, -torch.inf))
    clean, at = samples(seed), torch.tensor(shifts)
    assert torch.equal(pattern.apply_at(clean, at), by_hand(pattern, clean, at))


def test_a_patch_changes_nothing_outside_its_window() -> None:
    for occludes in (False, True):
        chosen = form(size=(3, 2), occludes=occludes, offsets=Offsets((0, 4), (2, 2), (4, 4)))
        clean = samples(0)
        changed = random_pattern(chosen, 1).apply(clean) != clean
        assert changed[..., 2:5, 4:6].any()
        changed[..., 2:5, 4:6] = False
        assert not changed.any()


def test_an_occluding_window_hides_all_that_the_pattern_does_not_show() -> None:
    chosen = form(size=(3, 3), occludes=True)
    pattern, clean = EventPattern(chosen, ((1, 0, 2, 2),)), samples(0, rate=1)
    attacked = pattern.apply(clean)
    assert attacked[..., :3, :3].sum() == 4 and attacked[1, :, 0, 2, 2].all()
    assert torch.equal(attacked[..., 3:, :], clean[..., 3:, :])


def test_the_most_important_events_are_kept() -> None:
    events = ((0, 0, 0, 0), (1, 1, 2, 3), (4, 0, 5, 6))
    pattern = EventPattern(form(), events)
    assert pattern.up_to(2).events == events[:2]
    clean = samples(0, rate=0)
    share = dataclasses.replace(form(), budget=EventBudget(share=1.0))
    clean[0, :, 0, 3, 3] = 1  # one event of its own, so one may be inserted
    attacked = EventPattern(share, events).apply(clean)
    assert attacked.sum((0, 2, 3, 4)).tolist() == [2] * 4 and attacked[0, :, 0, 0, 0].all()


def test_events_in_taken_places_cost_nothing() -> None:
    clean = samples(0, rate=0)
    clean[0, :, 0, 0, 0] = 1
    pattern = EventPattern(form(budget=EventBudget(share=1.0)), ((0, 0, 0, 0), (3, 1, 4, 4)))
    assert pattern.apply(clean)[3, :, 1, 4, 4].all()


def test_an_event_too_close_to_the_samples_own_is_left_out_of_that_sample() -> None:
    clean = samples(0, count=3, rate=0)
    clean[2, 0, 0, 1, 1] = clean[3, 1, 1, 1, 1] = 1
    pattern = EventPattern(form(budget=EventBudget(refractory=3)), ((0, 0, 1, 1),))
    assert pattern.apply(clean)[0, :, 0, 1, 1].tolist() == [0, 1, 1]
    both = EventPattern(form(budget=EventBudget(refractory=1)), ((2, 1, 1, 1),))
    assert both.apply(clean)[2, :, 1, 1, 1].tolist() == [0, 1, 1]


@given(st.integers(0, 7), st.booleans(), st.integers(0, 100))
@settings(max_examples=60, deadline=None)
def test_chosen_events_are_those_of_a_greedy_choice(reach: int, loops: bool, seed: int) -> None:
    offsets = Offsets((-2, 2)) if loops else Offsets()
    chosen = form(size=(2, 2), budget=EventBudget(count=12, refractory=reach), offsets=offsets)
    scores = torch.rand(chosen.grid, generator=torch.Generator().manual_seed(seed))
    order = scores.flatten().argsort(descending=True)
    greedy: list[tuple[int, ...]] = []
    for place in torch.stack(torch.unravel_index(order, scores.shape), 1).tolist():
        apart = [
            min(abs(e[0] - place[0]), SHAPE[0] - abs(e[0] - place[0]) if loops else SHAPE[0])
            for e in greedy
            if e[2:] == tuple(place[2:])
        ]
        if len(greedy) < 12 and min(apart, default=99) >= reach:
            greedy.append(tuple(place))
    assert choose_events(chosen, scores).events == tuple(greedy)


def test_shifts_depend_on_seed_trial_and_sample_only() -> None:
    offsets = shifted_by(3, 5)
    whole = offsets.draw(200, 7)
    assert torch.equal(offsets.draw(50, 7, first_sample=150), whole[150:])
    assert torch.equal(offsets.draw(200, 7), whole)
    assert not torch.equal(offsets.draw(200, 7, trial=1), whole)
    assert not torch.equal(offsets.draw(200, 7 + 2**32), whole)
    assert whole.amin(0).tolist() == [-3, -5, -5] and whole.amax(0).tolist() == [3, 5, 5]
    assert Offsets((1, 4), (0, 3), (-2, 2)).draw(2, None).tolist() == [[2, 1, 0]] * 2


def test_all_shifts_are_equally_likely() -> None:
    drawn = Offsets((0, 2)).draw(3000, 0)[:, 0].bincount()
    assert len(drawn) == 3 and (drawn - 1000).abs().max() < 5 * 26  # 5 standard deviations


def test_an_applied_pattern_is_an_attack_within_its_budget() -> None:
    chosen = form(offsets=shifted_by(1, 1), budget=EventBudget(count=30))
    pattern, clean, labels = random_pattern(chosen, 0), samples(0), torch.zeros(4).long()
    attack = AppliedPattern.of(pattern, seed=3)
    model = TwoSides()
    assert torch.equal(attack(model, clean, labels), pattern.apply(clean, 3))
    few = attack(model, clean, labels, 5)
    assert torch.equal(few, pattern.up_to(5).apply(clean, 3))
    still = dataclasses.replace(attack, shifted=False)
    assert torch.equal(still(model, clean, labels), pattern.apply(clean, None))
    assert not attack.recipe.uses_model and attack.recipe.budget == 30
    assert "30 events" in attack.recipe.name and len(str(attack.recipe.parameters)) < 600


def test_a_window_budget_holds_for_changes_in_one_window_only() -> None:
    budget, clean = WindowBudget(window=(2, 3)), samples(0, count=1, rate=0)
    attacked = clean.clone()
    assert budget.holds(clean, attacked).all()
    attacked[0, 0, 0, 1, 2] = attacked[4, 0, 1, 2, 4] = 1
    assert budget.holds(clean, attacked).all() and "2×3" in budget.title
    for row, column in ((3, 2), (1, 5)):
        outside = attacked.clone()
        outside[0, 0, 0, row, column] = 1
        assert not budget.holds(clean, outside).any()
    assert not budget.with_count(1).holds(clean, attacked).any()


def test_samples_of_one_dimension_take_a_pattern() -> None:
    chosen = PatternForm((1, 9), (3, 1, 1, 9), Offsets(), EventBudget())
    attacked = EventPattern(chosen, ((2, 0, 0, 8),)).apply(torch.zeros(3, 2, 9))
    assert attacked.shape == (3, 2, 9) and attacked[2, :, 8].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("events", "changes", "message"),
    [
        (((5, 0, 0, 0),), {}, "must lie in"),
        (((0, 0, 0, -1),), {}, "must lie in"),
        (((0, 0, 0),), {}, "must lie in"),
        (((0, 0, 0, 0.5),), {}, "must lie in"),
        (((0, 0, 0, 0), (0, 0, 0, 0)), {}, "twice"),
        (((0, 0, 0, 0), (0, 1, 0, 0)), {"budget": EventBudget(count=1)}, "allows 1"),
        (((0, 0, 0, 0), (0, 1, 0, 0)), {"budget": EventBudget(refractory=1)}, "apart"),
        (((0, 0, 0, 0), (2, 1, 0, 0)), {"budget": EventBudget(refractory=3)}, "apart"),
        ((), {"budget": EventBudget(kinds=("delete",))}, "needs insert"),
        ((), {"budget": EventBudget(kinds=("insert",)), "occludes": True}, "insert and delete"),
        ((), {"size": (7, 7)}, "must fit into"),
        ((), {"size": (0, 7)}, "1 to 65536"),
        ((), {"size": 3}, "1 to 65536"),
        ((), {"shape": (5, 2, 6)}, "4 whole numbers"),
    ],
)
def test_a_pattern_is_checked(events: tuple, changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        EventPattern(form(**changes), events)


def test_a_pattern_that_loops_must_rest_around_the_loop() -> None:
    events, budget = ((0, 0, 0, 0), (4, 0, 0, 0)), EventBudget(refractory=2)
    EventPattern(form(budget=budget), events)
    with pytest.raises(InputError, match="as the pattern loops"):
        EventPattern(form(budget=budget, offsets=Offsets((0, 1))), events)


def test_samples_that_do_not_fit_are_refused() -> None:
    pattern = EventPattern(form())
    for wrong in (samples(0)[:4], samples(0)[..., 1:], torch.zeros(5), samples(0) / 2):
        with pytest.raises(InputError, match=r"shape"):
            pattern.apply(wrong)
    with pytest.raises(InputError, match=r"need \(4, 3\)"):
        pattern.apply_at(samples(0), torch.zeros(3, 3, dtype=torch.int64))
    with pytest.raises(InputError, match="seed is -1"):
        pattern.apply(samples(0), -1)
    for wrong_range in ((1, 0), (0.5, 1), (0, 2**30), 3):
        with pytest.raises(InputError, match="lowest and the highest"):
            Offsets(wrong_range)  # type: ignore[arg-type]
