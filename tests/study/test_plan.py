from dataclasses import replace

import pytest

from stochi.errors import InputError
from stochi.study.plan import FLOAT, Question, StudyPlan, Victim, plan_for


@pytest.mark.parametrize("quick", [True, False])
def test_every_network_and_question_is_there_once(quick: bool) -> None:
    plan = plan_for("digits", quick)
    victims = list(plan.victims())
    assert len(set(victims)) == len(victims)
    for victim in victims:
        questions = plan.questions(victim)
        assert len(set(questions)) == len(questions)
        assert {question.place for question in questions} == set(victim.places)


def test_only_random_tau_has_stand_ins() -> None:
    assert Victim("LIF").places == (FLOAT, "none")
    assert Victim("RandHet-SNN").places == (FLOAT, "decay", "membrane", "none")
    assert Victim("LIF", randomization="weight-noise").places == (FLOAT,)


def test_what_is_varied_is_varied_alone() -> None:
    plan = plan_for("digits", False)
    standard = plan.pgd(FLOAT)
    for question in plan.questions(Victim("RandHet-SNN")):
        if question.attack == "pgd" and question.place == FLOAT and question.made_on == "own":
            changed = [
                name
                for name in ("epsilon", "steps", "draws")
                if getattr(question, name) != getattr(standard, name)
            ]
            assert len(changed) <= 1


def test_weights_depend_on_what_they_are_trained_with_alone() -> None:
    plan, victim = StudyPlan(), Victim("LIF", "pgd")
    assert plan.training(victim) == replace(plan, images=3, trials=2).training(victim)
    assert plan.training(victim) != replace(plan, training_epsilon=0.01).training(victim)
    plain = Victim("LIF")
    assert plan.training(plain) == replace(plan, training_epsilon=0.01).training(plain)


def test_cifar_is_attacked_as_in_the_paper() -> None:
    plan = plan_for("cifar10", False)
    assert plan.epsilon == 8 / 255 and plan.training_epsilon == 4 / 255 and plan.images == 1000


def test_no_question_is_about_more_images_than_there_are() -> None:
    for data in ("digits", "cifar10"):
        plan = replace(plan_for(data, False), images=20)
        assert {q.images for v in plan.victims() for q in plan.questions(v)} == {20}
        assert plan.images_for_similarity == 20


@pytest.mark.parametrize(
    "options",
    [
        {"trials": 0},
        {"epsilon": 0.0},
        {"epsilon": float("nan")},
        {"training_epsilon": 2.0},
        {"defences": ("prayer",)},
        {"curve_defences": ("sr",), "defences": ("none",)},
        {"baselines": ("luck",)},
    ],
)
def test_bad_plans_are_refused(options: dict) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        StudyPlan(**options)


def test_a_question_is_a_plain_value() -> None:
    assert Question(FLOAT, "pgd", "own", 0.1, 20, 10, 8) == StudyPlan(images=8).pgd(
        FLOAT, epsilon=0.1
    )
