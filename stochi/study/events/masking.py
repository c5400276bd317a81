"""Signs of masked gradients in a study on events."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from stochi.attacks.masking import Finding, find_helpful_budgets, find_masking
from stochi.attacks.surrogates.choice import OWN
from stochi.statistics.worst import take_worst
from stochi.study.events.answers import EventAnswers
from stochi.study.events.questions import CLEAN, EventQuestion, Shown, places_of
from stochi.study.events.results import EventMaskingCell
from stochi.study.victims import Victim


def find_signs(answers: EventAnswers, victims: Sequence[Victim]) -> Iterator[EventMaskingCell]:
    """Yield signs of masked gradients: attacks that know less and do more, on the same recordings.

    The white box is the worst, per recording, of the attacks by gradients on the place's own model.

    Args:
        answers: the answers of a finished study.
        victims: the trainings that are looked at; others have no part in the signs.
    """
    for victim in victims:
        for place in places_of(victim):
            asked = [
                question
                for question in answers.questions(victim)
                if question.place == place
                and not question.shown.is_pattern
                and question.shown.attack != CLEAN
                and question.shown.network in ("", victim.neuron)
            ]
            for shown, finding in _signs(answers, victim, asked):
                yield EventMaskingCell(victim.title, place, shown.title, shown.column, finding)


def _signs(
    answers: EventAnswers, victim: Victim, asked: Sequence[EventQuestion]
) -> Iterator[tuple[Shown, Finding]]:
    own = [q for q in asked if q.shown.place == q.place and q.shown.by_gradients]
    for question in asked:
        shown = question.shown
        white = [
            q
            for q in own
            if q.shown.column == shown.column and q.shown.samples >= shown.samples and q != question
        ]
        if not white:
            continue
        if question not in own:
            right = _right(answers, victim, [question])
            less: dict[str, Any] = {_kind(shown, question.place): right}
            box = _right(answers, victim, white)[:, : right.shape[1]]
            yield from ((shown, finding) for finding in find_masking(box, **less))
        elif shown.surrogates == OWN:
            others = {
                q.shown.surrogates: _right(answers, victim, [q])
                for q in white
                if q.shown.attack == shown.attack and q.shown.samples == shown.samples
            }
            right = _right(answers, victim, [question])
            yield from ((shown, sign) for sign in find_masking(right, surrogates=others))
    for name in dict.fromkeys((q.shown.title, q.shown.delay > 0) for q in own):
        same = [q for q in own if (q.shown.title, q.shown.delay > 0) == name]
        by_size = {float(q.shown.size): _right(answers, victim, [q]) for q in same}
        for finding in find_helpful_budgets("budget", by_size):
            yield same[0].shown, finding


def _kind(shown: Shown, place: str) -> str:
    """Return what kind of attack this is beside the white box."""
    if not shown.network:
        return "noise"
    return "black_box" if shown.place == place else "transferred"


def _right(
    answers: EventAnswers, victim: Victim, questions: Sequence[EventQuestion]
) -> torch.Tensor:
    """Return the reported trials of the worst of several attacks, (trials, samples) bool."""
    trials = answers.plan.trials
    each = [answers.right(victim, question) for question in questions]
    size = min(right.shape[1] for right in each)
    right = torch.stack([one[:, :size] for one in each])
    return take_worst(right[:, :-trials], right[:, -trials:])
