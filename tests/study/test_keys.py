"""Names of stored answers and weights, which must stay: a change loses the answers of old studies.

The expected names were computed when answers began to hold each trial.
"""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stochi.errors import InputError
from stochi.study.keys import answer_key, similarity_key, weights_key
from stochi.study.plan import StudyPlan
from stochi.study.presets import plan_for
from stochi.study.questions import Question, Questions, questions_about
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
        (Victim(), DIGITS, Questions(DIGITS, FLOAT).clean, "cdf801f885f30a0301ae572c"),
        (
            replace(STEP, defence="pgd", seed=3),
            DIGITS,
            Questions(DIGITS, "decay").pgd,
            "b1669843ca1f2573161783ee",
        ),
        (
            replace(FORWARD, defence="hire"),
            DIGITS,
            Questions(DIGITS, "membrane").transferred,
            "61c90b366303edb32b0f6c78",
        ),
        (
            STEP,
            DIGITS,
            Questions(DIGITS, FLOAT).curves()["iterations"][500],
            "9b5aae27fb33cb6173695f80",
        ),
        (STEP, DIGITS, Questions(DIGITS, FLOAT).unbounded, "b8b05041367dfe0a206b9bbe"),
        (
            replace(STEP, defence="pgd", sigma=0.25),
            DIGITS,
            Questions(DIGITS, "none").pgd,
            "12baf92fd8971406a7aed0be",
        ),
        (
            Victim("LIF", "pgd", "resize-pad"),
            DIGITS,
            Questions(DIGITS, FLOAT).fgsm,
            "323fc8730728e6f8a1e3c687",
        ),
        (
            replace(STEP, defence="fgsm"),
            CIFAR,
            Questions(CIFAR, "none").noise,
            "a948730273d4d159ea2954cb",
        ),
        (replace(STEP, defence="fgsm"), CIFAR, ON_CHIP.ensemble, "3f299d185404fc1cf43a3fb5"),
        (replace(STEP, defence="fgsm"), CIFAR, ON_CHIP.square, "05a947c243e0e45590a64f50"),
    ],
)
def test_answers_keep_their_names(
    victim: Victim, plan: StudyPlan, question: Question, expected: str
) -> None:
    assert name(answer_key(victim, plan, question)) == f"{expected}.json"


def test_cosines_keep_their_names() -> None:
    key = similarity_key(replace(FORWARD, defence="pgd"), DIGITS)
    assert name(key) == "ca17bf0e93c137f0d66f8435.json"


@pytest.mark.parametrize(
    ("victim", "plan", "expected"),
    [
        (STEP, DIGITS, "9b8dda0d6c83cad84750eaf2"),
        (Victim("LIF", "fgsm", seed=1), CIFAR, "b810a99b939e71087c389455"),
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


def test_a_gpu_keeps_answers_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    plan, victim = StudyPlan(), Victim("LIF")
    assert weights_key(victim, plan) == weights_key(victim, plan.with_options(device="cpu"))
    assert weights_key(victim, plan) != weights_key(victim, plan.with_options(device="cuda"))


def test_the_cpu_goes_on_with_what_a_gpu_began(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, victim = StudyPlan(), Victim("RandHet-SNN")
    here = replace(plan, training=replace(plan.training, device="cuda"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    there = plan.with_options(device="cuda")
    assert weights_key(victim, here) == weights_key(victim, there)
    for question in questions_about(victim, plan):
        assert answer_key(victim, here, question) == answer_key(victim, there, question)
        assert answer_key(victim, here, question) != answer_key(victim, plan, question)
    with pytest.raises(InputError, match="unknown training device tpu; known: cpu, cuda"):
        replace(plan.training, device="tpu")
