"""The answers of a plan on events, kept in a store."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from stochi.attacks.events.metrics import measure_timing
from stochi.attacks.events.places import count_events
from stochi.data.streams import Streams
from stochi.errors import InputError
from stochi.study.events.keys import answer_key, made_key
from stochi.study.events.plan import EventStudyPlan
from stochi.study.events.questions import EventQuestion, Shown, clean, questions_about
from stochi.study.kept import KeptAnswers, as_rows, check_numbers, check_rows
from stochi.study.store import Key
from stochi.study.victims import Victim


@dataclass(frozen=True)
class EventAnswers(KeptAnswers[EventStudyPlan, EventQuestion]):
    """The answers of a plan on events."""

    @cached_property
    def asked(self) -> dict[Victim, list[EventQuestion]]:
        """The plan's questions about each victim."""
        return {victim: questions_about(victim, self.plan) for victim in self.plan.victims()}

    def questions(self, victim: Victim) -> list[EventQuestion]:
        """Return all of the plan's questions about a victim, each once."""
        return self.asked[victim]

    def key(self, victim: Victim, question: EventQuestion) -> Key:
        """Return all that an answer depends on."""
        return answer_key(victim, self.plan, question)

    def made_key(self, victim: Victim, shown: Shown) -> Key:
        """Return all that what a victim is shown depends on."""
        return made_key(shown, victim.seed, self.plan)

    def check(self, question: EventQuestion, answer: dict[str, Any]) -> None:
        """Raise KeyError, TypeError or ValueError unless an answer has the form of one."""
        samples = question.shown.samples
        check_rows(answer["right"], self.plan.all_trials, samples)
        for name in ("events", "changes"):
            check_numbers(answer[name], samples)
        if question.shown.delay:
            if len(answer["timing"]) != samples:
                raise ValueError(f"not the times of {samples} samples")
            for timing in answer["timing"]:
                check_numbers(timing, 3)

    def keep(
        self,
        victim: Victim,
        question: EventQuestion,
        right: torch.Tensor,
        clean: Streams,
        shown: Sequence[Streams],
    ) -> None:
        """Keep the answer to a question.

        Args:
            right: (plan.all_trials, samples) bool, whether each sample was right in each trial.
            clean: the clean recordings.
            shown: what the victim was shown; if that differs by trial, in each reported one.
        """
        answer: dict[str, object] = {
            "right": as_rows(right),
            "events": count_events(clean.inputs).tolist(),
        }
        if question.shown.delay or not question.shown.is_pattern:
            answer["changes"] = question.shown.budget.count_changes(
                clean.inputs, shown[0].inputs
            ).tolist()
        else:
            each = [(clean.inputs != one.inputs).flatten(2).sum((0, 2)) for one in shown]
            answer["changes"] = torch.stack(each).double().mean(0).tolist()
        if question.shown.delay:
            answer["timing"] = _timing_by_sample(clean.inputs, shown[0].inputs)
        self.store.put(self.key(victim, question), answer)

    def counted(self, victim: Victim, place: str) -> torch.Tensor:
        """Return whether each sample counts, right without an attack in most of the first trials.

        Returns:
            (samples,) bool.

        Raises:
            InputError: the answer is missing, or no sample counts.
        """
        right = self.right(victim, EventQuestion(place, clean(self.plan)))
        found = right[: -self.plan.trials].double().mean(0) > 0.5
        if not bool(found.any()):
            raise InputError(
                f"{victim.title} is right about none of the {len(found)} recordings in {place}, so"
                " no attack can succeed; train it on more recordings, or for more epochs"
            )
        return found


def _timing_by_sample(clean: torch.Tensor, attacked: torch.Tensor) -> list[list[float]]:
    """Return B∞, B1 and B0 of each sample."""
    found = []
    for number in range(clean.shape[1]):
        one = slice(number, number + 1)
        timing = measure_timing(clean[:, one], attacked[:, one])
        assert timing is not None
        found.append([timing.largest, timing.total, timing.moved])
    return found
