"""Names of stored answers on events, which must stay: a change loses the answers of old studies."""

from dataclasses import replace
from pathlib import Path

import pytest

from stochi.study import event_plan_for
from stochi.study.events.keys import answer_key, made_key, weights_key
from stochi.study.events.questions import NOISE, EventQuestion, Shown, clean
from stochi.study.store import Key, Store
from stochi.study.victims import FLOAT, Victim

SACCADES, NMNIST = event_plan_for("saccades", False), event_plan_for("nmnist", False)
STEP = Victim("RandHet-SNN")
ATTACK = Shown("sparse-gradient", STEP.neuron, "decay", 30, samples=100, iterations=25, draws=2)
PATTERN = Shown("universal", "LIF", FLOAT, 100, samples=100, iterations=40, draws=2)
QUERIES = Shown("greedy-spikes", "LIF", FLOAT, 30, samples=30, draws=1)
RANDOM = replace(PATTERN, attack="random-universal")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (weights_key(STEP, SACCADES), "0550836444d016543218f832"),
        (weights_key(Victim(seed=1), NMNIST), "c700b75f78bf602056d8abad"),
        (
            answer_key(Victim(), SACCADES, EventQuestion(FLOAT, clean(SACCADES))),
            "fa4462bb9150ac0dc40b4efd",
        ),
        (made_key(ATTACK, 0, SACCADES), "a513131e835bdf5d3e0db5bf"),
        (
            answer_key(STEP, SACCADES, EventQuestion("decay", ATTACK)),
            "00459f93a9cd63f918dc8c7b",
        ),
        (made_key(PATTERN, 0, NMNIST), "22936a734c58efc4b053e2e9"),
        (made_key(RANDOM, 0, NMNIST), "22936a734c58efc4b053e2e9"),
        (
            made_key(replace(QUERIES, attack="greedy-spikes"), 0, SACCADES),
            "a175f6ef5a4885d54df05371",
        ),
        (made_key(replace(QUERIES, attack="boundary"), 0, SACCADES), "9c31c2559be5c454b198f96f"),
        (made_key(replace(QUERIES, attack="spike-fool"), 0, SACCADES), "413375b97a31be0a792719d2"),
        (made_key(replace(QUERIES, attack=NOISE), 0, SACCADES), "05aadf165d1fd8514d097903"),
        (answer_key(STEP, NMNIST, EventQuestion("decay", PATTERN)), "70dc96b042ae47e4cc39c6a2"),
        (answer_key(STEP, NMNIST, EventQuestion("decay", RANDOM)), "cda1075968e08ff0f14f6978"),
    ],
)
def test_names_stay(key: Key, expected: str) -> None:
    assert Store(Path()).path(key, "json").stem == expected


def test_what_is_made_does_not_depend_on_what_is_asked_about_it() -> None:
    other = replace(SACCADES, trials=7, samples=50, attacks=())
    assert made_key(ATTACK, 0, SACCADES) == made_key(ATTACK, 0, other)
    assert weights_key(STEP, SACCADES) == weights_key(STEP, other)
    fewer = replace(SACCADES, patterns=replace(SACCADES.patterns, samples=9))
    assert made_key(PATTERN, 0, SACCADES) != made_key(PATTERN, 0, fewer)
    assert made_key(ATTACK, 0, SACCADES) == made_key(ATTACK, 0, fewer)
