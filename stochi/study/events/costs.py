"""What answers on events cost, roughly, in gradients of a recording."""

from collections.abc import Iterable

from stochi.study.events.plan import EventStudyPlan
from stochi.study.events.questions import EventQuestion, Shown
from stochi.study.victims import Victim

ITERATIONS = 50
"""Iterations that an attack is taken to have if it does not say."""


def work_cost(victim: Victim, makes: Iterable[Shown], questions: Iterable[EventQuestion]) -> float:
    """Return what it costs to make what a victim is shown, and to ask about it."""
    asked = sum(question.shown.samples for question in questions)
    return float(asked + sum(_making_cost(victim, shown) for shown in makes))


def training_cost(plan: EventStudyPlan) -> float:
    """Return what the training of a victim costs."""
    return float(plan.training.samples * plan.training.epochs)


def _making_cost(victim: Victim, shown: Shown) -> int:
    runs = shown.draws if victim.draws_in(shown.place) else 1
    iterations = ITERATIONS if shown.iterations is None else shown.iterations
    return shown.samples * iterations * runs
