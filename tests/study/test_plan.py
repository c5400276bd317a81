from collections.abc import Callable
from dataclasses import replace

import pytest

from stochi.errors import InputError
from stochi.study import (
    AutoAttackPlan,
    CurvePlan,
    EnsemblePlan,
    PGDPlan,
    SimilarityPlan,
    SquarePlan,
    StudyPlan,
    TrainingPlan,
    plan_for,
)
from stochi.study.questions import Question, Questions, questions_about
from stochi.study.victims import FLOAT, MEAN, Victim


@pytest.mark.parametrize("quick", [True, False])
def test_every_network_and_question_is_there_once(quick: bool) -> None:
    plan = plan_for("digits", quick)
    victims = list(plan.victims())
    assert len(set(victims)) == len(victims)
    for victim in victims:
        questions = questions_about(victim, plan)
        assert len(set(questions)) == len(questions)
        assert {question.place for question in questions} == set(victim.places)


def test_only_random_tau_has_stand_ins() -> None:
    assert Victim("LIF").places == (FLOAT, "none")
    assert Victim("RandHet-SNN").places == (FLOAT, MEAN, "decay", "membrane", "none")
    assert Victim("LIF", randomization="weight-noise").places == (FLOAT,)


def test_what_is_varied_is_varied_alone() -> None:
    plan = plan_for("digits", False)
    standard, varied = Questions(plan, FLOAT).climb, 0
    for question in questions_about(Victim("RandHet-SNN"), plan):
        if question.attack == standard.attack and question.place == FLOAT:
            names = ("epsilon", "iterations", "draws", "surrogates")
            changed = [n for n in names if getattr(question, n) != getattr(standard, n)]
            varied += len(changed)
            assert len(changed) <= 1
    assert varied == 4 + 2 + 2 + 2


def test_every_training_meets_the_strongest_attacks_and_the_first_all_of_them() -> None:
    plan = plan_for("digits", False)
    first, second = (
        {question for question in questions_about(Victim("RandHet-SNN", "rat", seed=s), plan)}
        for s in (0, 1)
    )
    assert second < first
    for place in Victim("RandHet-SNN").places:
        questions = Questions(plan, place)
        assert {questions.clean, *questions.strongest()} <= second
        assert questions.climb in first - second
    seeds = {(v.neuron, v.defence): 0 for v in plan.victims()}
    for victim in plan.victims():
        if not victim.randomization and victim.sigma == 1.0:
            seeds[victim.neuron, victim.defence] += 1
    assert set(seeds.values()) == {3}


def test_cifar_is_attacked_as_in_the_paper() -> None:
    plan = plan_for("cifar10", False)
    assert plan.pgd.epsilon == 8 / 255 and plan.training.epsilon == 4 / 255 and plan.images == 1000
    assert list(Questions(plan, FLOAT).by_epsilon()) == [2 / 255, 4 / 255, 8 / 255]


def test_no_question_is_about_more_images_than_there_are() -> None:
    for data in ("digits", "cifar10"):
        plan = replace(plan_for(data, False), images=20)
        asked = {q.images for v in plan.victims() for q in questions_about(v, plan)}
        assert asked == {20}
        assert plan.similarity_images == 20


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: StudyPlan(images=0), "images"),
        (lambda: StudyPlan(trials=0), "trials"),
        (lambda: StudyPlan(calibration_images=0), "calibration_images"),
        (lambda: StudyPlan(defences=("prayer",)), "defences"),
        (lambda: StudyPlan(baselines=("luck",)), "baselines"),
        (
            lambda: StudyPlan(defences=("none",), curves=CurvePlan(defences=("sr",))),
            "curve_defences",
        ),
        (lambda: TrainingPlan(images=0), "training_images"),
        (lambda: TrainingPlan(epochs=0), "epochs"),
        (lambda: TrainingPlan(seeds=0), "seeds"),
        (lambda: TrainingPlan(time_steps=0), "time_steps"),
        (lambda: TrainingPlan(epsilon=2.0), "training_epsilon"),
        (lambda: PGDPlan(epsilon=0.0), "epsilon"),
        (lambda: PGDPlan(epsilon=float("nan")), "epsilon"),
        (lambda: PGDPlan(iterations=0), "iterations"),
        (lambda: PGDPlan(draws=0), "draws"),
        (lambda: SquarePlan(images=0), "square_images"),
        (lambda: SquarePlan(iterations=0), "square_iterations"),
        (lambda: AutoAttackPlan(images=0), "auto_attack_images"),
        (lambda: AutoAttackPlan(iterations=0), "auto_attack_iterations"),
        (lambda: EnsemblePlan(images=0), "ensemble_images"),
        (lambda: EnsemblePlan(iterations=0), "ensemble_iterations"),
        (lambda: EnsemblePlan(draws=0), "ensemble_draws"),
        (lambda: EnsemblePlan(epsilons=(0.1, 1.5)), "ensemble_epsilon"),
        (lambda: CurvePlan(images=0), "curve_images"),
        (lambda: SimilarityPlan(images=0), "similarity_images"),
        (lambda: SimilarityPlan(draws=0), "similarity_draws"),
    ],
)
def test_bad_plans_raise(make: Callable[[], object], name: str) -> None:
    with pytest.raises(InputError, match=rf"^(unknown )?{name} "):
        make()


def test_options_replace_only_what_is_given() -> None:
    plan = plan_for("digits", True)
    assert plan.with_options() == plan
    changed = plan.with_options(
        epsilon=0.5, training_epsilon=0.25, images=7, training_images=8, epochs=2, seeds=3
    )
    assert (changed.pgd.epsilon, changed.training.epsilon) == (0.5, 0.25)
    assert (changed.images, changed.training.images) == (7, 8)
    assert (changed.training.epochs, changed.training.seeds) == (2, 3)
    back = replace(changed, images=plan.images, training=plan.training, pgd=plan.pgd)
    assert back == plan
    assert plan.with_options(images=7) == replace(plan, images=7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": 2}, "^epsilon is 2;"),
        ({"training_epsilon": 0}, "^training_epsilon is 0;"),
        ({"images": 0}, "^images is 0;"),
        ({"training_images": -1}, "^training_images is -1;"),
        ({"epochs": 0}, "^epochs is 0;"),
        ({"seeds": 0}, "^seeds is 0;"),
    ],
)
def test_options_out_of_range_are_named(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        StudyPlan().with_options(**options)


def test_a_question_is_a_plain_value() -> None:
    asked = Questions(StudyPlan(images=8, pgd=PGDPlan(epsilon=0.1)), FLOAT).pgd
    assert asked == Question(FLOAT, "pgd", "own", 0.1, 20, 10, 8)
