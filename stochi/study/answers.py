"""A plan's answers, kept in a store."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from stochi.errors import InputError
from stochi.statistics.worst import take_worst
from stochi.study.keys import answer_key, similarity_key
from stochi.study.plan import StudyPlan
from stochi.study.questions import Question, questions_about
from stochi.study.store import Store
from stochi.study.victims import Victim


@dataclass(frozen=True)
class Cosines:
    """Mean cosine between different draws, for each image.

    Attributes:
        gradient: cosines between gradients.
        perturbation: cosines between perturbations of an attack.
    """

    gradient: tuple[float, ...]
    perturbation: tuple[float, ...]


@dataclass(frozen=True)
class Answers:
    """A plan's answers.

    Attributes:
        plan: the plan whose questions are answered.
        store: the store that holds the answers, perhaps among others.
    """

    plan: StudyPlan
    store: Store

    def open_questions(self, victim: Victim) -> list[Question]:
        """Return the questions about a victim that have no answer yet."""
        return [
            question
            for question in questions_about(victim, self.plan)
            if self.store.get(answer_key(victim, self.plan, question)) is None
        ]

    def needs_cosines(self, victim: Victim) -> bool:
        """Return whether the plan asks for a victim's cosines and the store lacks them."""
        if not self.plan.has_curves(victim):
            return False
        return self.store.get(similarity_key(victim, self.plan)) is None

    def keep(
        self, victim: Victim, question: Question, right: torch.Tensor, by: Sequence[str]
    ) -> None:
        """Keep the answer to a question.

        Args:
            right: (plan.all_trials, images) bool, whether each image was right in each trial.
            by: for each image, the name of the part of the attack that made it.
        """
        rows = ["".join("01"[int(one)] for one in row) for row in right.tolist()]
        answer = {"right": rows, "by": dict(Counter(by))}
        self.store.put(answer_key(victim, self.plan, question), answer)

    def keep_cosines(self, victim: Victim, cosines: Cosines) -> None:
        """Keep a victim's cosines."""
        answer = {"gradient": cosines.gradient, "perturbation": cosines.perturbation}
        self.store.put(similarity_key(victim, self.plan), answer)

    def shares(
        self, victim: Victim, questions: Sequence[Question], every_draw: bool = False
    ) -> torch.Tensor:
        """Return how often each image was right under the worst of several attacks.

        The worst is chosen for each image by the first trials, and reported by the last.

        Args:
            questions: of one place; the images that all have are compared.
            every_draw: whether an image counts as right only if it was in every trial.

        Returns:
            (seeds, images) float64 in [0, 1], for the training seeds that were asked.

        Raises:
            InputError: an answer is missing.
        """
        found = []
        for trained in self.trained(victim, questions):
            asked = questions_about(trained, self.plan)
            each = [self._right(trained, q) for q in questions if q in asked]
            images = min(right.shape[1] for right in each)
            right = torch.stack([right[:, :images] for right in each]).double()
            worst = take_worst(right[:, : -self.plan.trials], right[:, -self.plan.trials :])
            found.append(worst.amin(0) if every_draw else worst.mean(0))
        return torch.stack(found)

    def in_a_row(self, victim: Victim, question: Question, showings: int) -> torch.Tensor:
        """Return whether each image was right in each of several showings.

        Args:
            showings: their number, from 1 to the plan's ``all_trials``.

        Returns:
            (seeds, images) float64, 0 or 1, for the training seeds that were asked.

        Raises:
            InputError: an answer is missing.
        """
        right = [self._right(one, question) for one in self.trained(victim, [question])]
        return torch.stack([each[-showings:].all(0) for each in right]).double()

    def trained(self, victim: Victim, questions: Sequence[Question]) -> list[Victim]:
        """Return the victim with every training seed of which one of the questions is asked."""
        seeds = [replace(victim, seed=seed) for seed in range(self.plan.training.seeds)]
        known = set(self.plan.victims())
        return [
            trained
            for trained in seeds
            if trained in known and set(questions) & set(questions_about(trained, self.plan))
        ]

    def winners(self, victim: Victim, question: Question) -> dict[str, float]:
        """Return the share of images that each part of an attack made, over all training seeds.

        Raises:
            InputError: an answer is missing.
        """
        total: Counter[str] = Counter()
        for trained in self.trained(victim, [question]):
            total.update(self._answer(trained, question)["by"])
        return {name: count / total.total() for name, count in sorted(total.items())}

    def cosines(self, victim: Victim) -> Cosines:
        """Return a victim's cosines.

        Raises:
            InputError: they are missing.
        """
        answer = self.store.get(similarity_key(victim, self.plan))
        if answer is None:
            raise self._unfinished(victim)
        return Cosines(tuple(answer["gradient"]), tuple(answer["perturbation"]))

    def _right(self, victim: Victim, question: Question) -> torch.Tensor:
        """Return whether each image was right in each trial, (all_trials, images) bool."""
        rows = self._answer(victim, question)["right"]
        return torch.tensor([[digit == "1" for digit in row] for row in rows])

    def _answer(self, victim: Victim, question: Question) -> dict[str, Any]:
        answer = self.store.get(answer_key(victim, self.plan, question))
        if answer is None:
            raise self._unfinished(victim)
        return answer

    def _unfinished(self, victim: Victim) -> InputError:
        return InputError(
            f"{self.store.folder} lacks answers about {victim.title} (defence {victim.defence},"
            f" seed {victim.seed}); run the study to its end"
        )
