"""Names of stored answers and weights, which must stay: a change loses the answers of old studies.

The names of weights and cosines were computed when iterations were still called steps and plans had
no groups, those of answers when they began to hold each trial.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from stochi.study.keys import answer_key, similarity_key, weights_key
from stochi.study.plan import StudyPlan
from stochi.study.presets import plan_for
from stochi.study.questions import Question, Questions
from stochi.study.store import Key, Store
from stochi.study.victims import FLOAT, Victim

DIGITS, CIFAR = plan_for("digits", False), plan_for("cifar10", False)
STEP, FORWARD = Victim("RandHet-SNN"), Victim("RandHet-SNN**")
ON_CHIP = Questions(CIFAR, "decay")


def name(key: Key, ending: str = "json") -> str:
    return Store(Path()).path(key, ending).name


@pytest.mark.parametrize(
    ("victim", "plan", "question", "expected"),
    [
        (Victim(), DIGITS, Questions(DIGITS, FLOAT).clean, "a474cd4e628db9e42c753766"),
        (
            replace(STEP, defence="pgd", seed=3),
            DIGITS,
            Questions(DIGITS, "decay").pgd,
            "dd9128d40a73a4dc80ba7645",
        ),
        (
            replace(FORWARD, defence="hire"),
            DIGITS,
            Questions(DIGITS, "membrane").transferred,
            "9df34876607cd86d9ad85869",
        ),
        (
            STEP,
            DIGITS,
            Questions(DIGITS, FLOAT).curves()["iterations"][500],
            "e89305a276a524ea1a07e81e",
        ),
        (STEP, DIGITS, Questions(DIGITS, FLOAT).unbounded, "08083cdfca38c0941fd0a4ba"),
        (
            replace(STEP, defence="pgd", sigma=0.25),
            DIGITS,
            Questions(DIGITS, "none").pgd,
            "9d43c620253219fbf0c29092",
        ),
        (
            Victim("LIF", "pgd", "resize-pad"),
            DIGITS,
            Questions(DIGITS, FLOAT).fgsm,
            "bacdc63a7c351533d1629354",
        ),
        (
            replace(STEP, defence="fgsm"),
            CIFAR,
            Questions(CIFAR, "none").noise,
            "32262df24c20987407b33b85",
        ),
        (replace(STEP, defence="fgsm"), CIFAR, ON_CHIP.ensemble, "565d8c1451baddb0075ad2fb"),
        (replace(STEP, defence="fgsm"), CIFAR, ON_CHIP.square, "4034df3a34f2ed131376ab69"),
    ],
)
def test_answers_keep_their_names(
    victim: Victim, plan: StudyPlan, question: Question, expected: str
) -> None:
    assert name(answer_key(victim, plan, question)) == f"{expected}.json"


def test_cosines_keep_their_names() -> None:
    key = similarity_key(replace(FORWARD, defence="pgd"), DIGITS)
    assert name(key) == "3b1caf6d1ad21a9ff65f7e58.json"


@pytest.mark.parametrize(
    ("victim", "plan", "expected"),
    [
        (STEP, DIGITS, "fad7f75b833a91c11d277405"),
        (Victim("LIF", "fgsm", seed=1), CIFAR, "2ec410e0ba52512017519030"),
    ],
)
def test_weights_keep_their_names(victim: Victim, plan: StudyPlan, expected: str) -> None:
    assert name(weights_key(victim, plan), "pt") == f"{expected}.pt"


def test_weights_depend_only_on_what_they_are_trained_with() -> None:
    plan, victim, plain = StudyPlan(), Victim("LIF", "pgd"), Victim("LIF")
    assert weights_key(victim, plan) == weights_key(victim, replace(plan, images=3, trials=2))
    weaker = plan.with_options(training_epsilon=0.01)
    assert weights_key(victim, plan) != weights_key(victim, weaker)
    assert weights_key(plain, plan) == weights_key(plain, weaker)
