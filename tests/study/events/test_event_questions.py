from collections.abc import Callable
from dataclasses import replace

import pytest

from stochi.attacks import EventBudget
from stochi.errors import InputError
from stochi.study import AttackPlan, EventStudyPlan, EventTraining, PatternPlan, event_plan_for
from stochi.study.events.questions import (
    NOISE,
    PATCH,
    RANDOM,
    UNIVERSAL,
    EventQuestion,
    Shown,
    crossing_to,
    makes_of,
    questions_about,
)
from stochi.study.victims import FLOAT, Victim
from tests.study.events.tiny import TINY

PLANS = [
    event_plan_for("saccades", False),
    event_plan_for("nmnist", False),
    event_plan_for("saccades", True),
    TINY,
]


@pytest.mark.parametrize("plan", PLANS)
def test_every_question_is_there_once_and_in_a_place_of_the_network(plan: EventStudyPlan) -> None:
    for victim in plan.victims():
        questions = questions_about(victim, plan)
        assert len(set(questions)) == len(questions)
        stand_ins = ("decay", "membrane", "none") if victim.random_tau else ("none",)
        assert {question.place for question in questions} == {FLOAT, *stand_ins}


@pytest.mark.parametrize("plan", PLANS)
def test_all_that_is_shown_is_made_by_some_network(plan: EventStudyPlan) -> None:
    made = {shown for victim in plan.victims() for shown in makes_of(victim, plan)}
    for victim in plan.victims():
        shown = {question.shown.original for question in questions_about(victim, plan)}
        assert {one for one in shown if one.network} <= made


def test_what_others_made_is_shown_in_floats_and_on_the_faithful_chip() -> None:
    victim = Victim("RandHet-SNN")
    crossing = crossing_to(victim, TINY)
    assert {shown.network for shown in crossing} == {"LIF", "RandHet-SNN**"}
    assert {shown.title for shown in crossing} == {"sparse-gradient", UNIVERSAL, PATCH}
    places = {q.place for q in questions_about(victim, TINY) if q.shown in crossing}
    assert places == {FLOAT, "decay"}


def test_patterns_are_made_on_two_places_and_stand_beside_random_ones_and_noise() -> None:
    victim = Victim("RandHet-SNN**")
    patterns = [q for q in questions_about(victim, TINY) if q.shown.is_pattern]
    here = {
        (q.shown.attack, q.shown.place)
        for q in patterns
        if q.place == "membrane" and q.shown.network == victim.neuron
    }
    kinds = (UNIVERSAL, PATCH, NOISE, RANDOM + UNIVERSAL, RANDOM + PATCH)
    assert here == {(kind, FLOAT) for kind in kinds}
    on_decay = {q.shown.place for q in patterns if q.place == "decay"}
    assert on_decay == {FLOAT, "decay"}


def test_a_few_attacks_are_made_where_the_chip_draws_as_the_network_does() -> None:
    places = {
        shown.place for shown in makes_of(Victim("RandHet-SNN"), TINY) if shown.attack == "retiming"
    }
    assert places == {FLOAT, "decay"}
    assert {s.place for s in makes_of(Victim(), TINY)} == {FLOAT, "none"}


def test_a_budget_is_a_count_or_a_delay() -> None:
    plan = AttackPlan("sparse-gradient", (30, 10), delays=(2,))
    moves = EventBudget(kinds=("move-time",), max_delay=2)
    assert plan.budgets == [EventBudget(10), EventBudget(30), moves]
    assert Shown("sparse-gradient", delay=2).budget == moves
    assert Shown("sparse-gradient", changes=10).budget == EventBudget(10)
    columns = [Shown(changes=3).column, Shown(delay=1).column, Shown(side=4).column]
    assert columns == ["3 events", "≤ 1 step", "4×4 pixels"]


def test_no_attack_takes_more_recordings_than_there_are() -> None:
    plan = replace(event_plan_for("saccades", False), samples=7)
    asked = {q.shown.samples for v in plan.victims() for q in questions_about(v, plan)}
    assert asked == {7}


def test_another_set_gets_the_plan_of_nmnist() -> None:
    assert event_plan_for("dvs-gesture", False).attacks == event_plan_for("nmnist", False).attacks
    assert event_plan_for("dvs-gesture", True).data == "dvs-gesture"


def test_gradients_tell_white_boxes() -> None:
    white = [Shown("sparse-gradient"), Shown("retiming"), Shown(UNIVERSAL), Shown(PATCH)]
    black = [Shown("greedy-spikes"), Shown("frame"), Shown(NOISE), Shown(RANDOM + PATCH), Shown()]
    assert [shown.by_gradients for shown in (*white, *black)] == [True] * 4 + [False] * 5


def test_options_replace_only_what_is_given() -> None:
    assert TINY.with_options() == TINY
    changed = TINY.with_options(samples=3, training_samples=20, epochs=2, seeds=2)
    assert (changed.samples, changed.training) == (3, EventTraining(20, 2, 2))
    assert replace(changed, samples=8, training=TINY.training) == TINY


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EventStudyPlan(samples=0), "^samples is 0"),
        (lambda: EventStudyPlan(trials=0), "^trials is 0"),
        (lambda: EventStudyPlan(calibration_samples=0), "^calibration_samples is 0"),
        (lambda: EventTraining(samples=0), "^training_samples is 0"),
        (lambda: EventTraining(network="rnn"), "^network is 'rnn'; choose from mlp, conv"),
        (lambda: AttackPlan("pgd"), "^attack is 'pgd'"),
        (lambda: AttackPlan("retiming", delays=(0,)), "^attack_delays is 0"),
        (lambda: AttackPlan("frame", changes=(10, 0)), "^attack_changes is 0"),
        (lambda: AttackPlan("frame", samples=0), "^attack_samples is 0"),
        (lambda: PatternPlan(sides=(0,)), "^pattern_sides is 0"),
        (lambda: PatternPlan(noises=0), "^pattern_noises is 0"),
        (lambda: TINY.with_options(seeds=0), "^seeds is 0"),
    ],
)
def test_bad_plans_raise(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_a_question_is_a_plain_value() -> None:
    question = EventQuestion(FLOAT, Shown("frame", "LIF", FLOAT, 10, samples=8, draws=1))
    assert question == replace(question) and question.shown.size == 10
