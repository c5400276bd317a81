"""Answers to a plan's questions, kept in a store, whatever the questions are about."""

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import torch

from stochi.errors import InputError
from stochi.study.store import Key, Store
from stochi.study.victims import Victim


class Plan(Protocol):
    """What any study's plan tells about its answers."""

    @property
    def trials(self) -> int:
        """Number of reported trials."""

    @property
    def all_trials(self) -> int:
        """Number of all trials: those that choose the worst attack, then the reported ones."""

    def victims(self) -> Iterator[Victim]:
        """Yield every network once."""


AnyPlan = TypeVar("AnyPlan", bound=Plan)
AnyQuestion = TypeVar("AnyQuestion")


@dataclass(frozen=True)
class KeptAnswers(Generic[AnyPlan, AnyQuestion]):
    """A plan's answers.

    Attributes:
        plan: the plan whose questions are answered.
        store: the store that holds the answers, perhaps among others.
    """

    plan: AnyPlan
    store: Store

    @abstractmethod
    def questions(self, victim: Victim) -> list[AnyQuestion]:
        """Return all of the plan's questions about a victim, each once."""

    @abstractmethod
    def key(self, victim: Victim, question: AnyQuestion) -> Key:
        """Return all that an answer depends on."""

    @abstractmethod
    def check(self, question: AnyQuestion, answer: dict[str, Any]) -> None:
        """Raise KeyError, TypeError or ValueError unless an answer has the form of one."""

    def find(self, victim: Victim, question: AnyQuestion) -> dict[str, Any] | None:
        """Return an answer as it was kept; None if it is missing or damaged."""
        return self.store.get(self.key(victim, question), partial(self.check, question))

    def open_questions(self, victim: Victim) -> list[AnyQuestion]:
        """Return the questions about a victim that have no answer yet."""
        return [q for q in self.questions(victim) if self.find(victim, q) is None]

    def trained(self, victim: Victim, questions: Sequence[AnyQuestion]) -> list[Victim]:
        """Return the victim with every training seed of which one of the questions is asked."""
        seeds = [one for one in self.plan.victims() if replace(one, seed=victim.seed) == victim]
        return [
            one
            for one in sorted(seeds, key=lambda each: each.seed)
            if any(question in questions for question in self.questions(one))
        ]

    def right(self, victim: Victim, question: AnyQuestion) -> torch.Tensor:
        """Return whether each sample was right in each trial, (all_trials, samples) bool.

        Raises:
            InputError: the answer is missing.
        """
        rows = self.answer(victim, question)["right"]
        return torch.tensor([[digit == "1" for digit in row] for row in rows])

    def answer(self, victim: Victim, question: AnyQuestion) -> dict[str, Any]:
        """Return an answer as it was kept.

        Raises:
            InputError: it is missing.
        """
        answer = self.find(victim, question)
        if answer is None:
            raise self.unfinished(victim)
        return answer

    def unfinished(self, victim: Victim) -> InputError:
        """Return the error for a victim that lacks answers."""
        return InputError(
            f"{self.store.folder} lacks answers about {victim.title} (defence {victim.defence},"
            f" seed {victim.seed}); run the study to its end"
        )


def as_rows(right: torch.Tensor) -> list[str]:
    """Return (trials, samples) bool as the rows of digits of an answer."""
    return ["".join("01"[int(one)] for one in row) for row in right.tolist()]


def check_rows(rows: Any, trials: int, samples: int) -> None:
    """Raise ValueError unless these are the rows that :func:`as_rows` makes."""
    if not isinstance(rows, list) or len(rows) != trials:
        raise ValueError(f"not {trials} trials")
    for row in rows:
        if not isinstance(row, str) or len(row) != samples or set(row) - {"0", "1"}:
            raise ValueError(f"a trial that is not one of {samples} samples")


def check_numbers(values: Any, count: int | None, low: float = 0, high: float = math.inf) -> None:
    """Raise ValueError unless these are so many numbers in a range.

    Args:
        count: their number; None: any.
    """
    if not isinstance(values, list) or (count is not None and len(values) != count):
        raise ValueError(f"not {count} numbers")
    for value in values:
        if type(value) not in (int, float) or not low <= value <= high:
            raise ValueError(f"a number that is {value!r}")
