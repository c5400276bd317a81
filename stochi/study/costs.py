"""What answers on images cost, roughly, in gradients of an image."""

from collections.abc import Iterable

from stochi.study.defences import choose_defence
from stochi.study.plan import StudyPlan
from stochi.study.questions import Question
from stochi.study.victims import Victim

WEIGHT_NOISE_COST = 8
"""Cost of a network with weight noise, in that of another one.

Its weights differ in every draw, so the draws share no product.
"""
PARTS = {"auto-snn": 4, "auto-rand": 2, "square": 2}
"""Attacks that evaluate the model several times in an iteration, or have several parts."""


def answers_cost(victim: Victim, questions: Iterable[Question]) -> float:
    """Return what answers about a victim cost."""
    each = WEIGHT_NOISE_COST if victim.randomization == "weight-noise" else 1
    return float(sum(each * _answer_cost(victim, question) for question in questions))


def cosines_cost(plan: StudyPlan) -> float:
    """Return what the cosines of one variant of a victim cost."""
    return float(plan.similarity_images * plan.similarity.draws * (1 + plan.pgd.iterations))


def training_cost(victim: Victim, plan: StudyPlan) -> float:
    """Return what the training of a victim costs."""
    passes = 1 if choose_defence(victim, plan) is None else 2
    return float(passes * plan.training.images * plan.training.epochs)


def _answer_cost(victim: Victim, question: Question) -> int:
    runs = question.draws if victim.draws_in(question.place) or question.attack == "square" else 1
    return question.images * (1 + question.iterations * runs * PARTS.get(question.attack, 1))
