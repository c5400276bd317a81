"""Names of stored answers and weights, which must stay: a change loses the answers of old studies.

The expected names were computed when iterations were still called steps and plans had no groups.
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
        (Victim(), DIGITS, Questions(DIGITS, FLOAT).clean, "90686fa9aa4f51981d0572b1"),
        (
            replace(STEP, defence="pgd", seed=3),
            DIGITS,
            Questions(DIGITS, "decay").pgd,
            "b27b0e9a22f443ea2d124caf",
        ),
        (
            replace(FORWARD, defence="hire"),
            DIGITS,
            Questions(DIGITS, "membrane").transferred,
            "5de239095cbcbc5a1c08841c",
        ),
        (
            STEP,
            DIGITS,
            Questions(DIGITS, FLOAT).curves()["iterations"][50],
            "dbe0c33382ad77ea43aec110",
        ),
        (STEP, DIGITS, Questions(DIGITS, FLOAT).unbounded, "a00a78e61e2c15429bd08c85"),
        (
            replace(STEP, defence="pgd", sigma=0.25),
            DIGITS,
            Questions(DIGITS, "none").pgd,
            "c0a98bcc457c85d4817077fc",
        ),
        (
            Victim("LIF", "pgd", "resize-pad"),
            DIGITS,
            Questions(DIGITS, FLOAT).fgsm,
            "4515641e330a26be50a44405",
        ),
        (
            replace(STEP, defence="fgsm"),
            CIFAR,
            Questions(CIFAR, "none").noise,
            "fe04b368b58e37b8907d3700",
        ),
        (replace(STEP, defence="fgsm"), CIFAR, ON_CHIP.auto_attack, "ec92a89fb3f1f7a5255dafc6"),
        (replace(STEP, defence="fgsm"), CIFAR, ON_CHIP.square, "9c9fc36c4701c11a23d824be"),
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
