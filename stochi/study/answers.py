"""A plan's answers, kept in a store."""

from dataclasses import dataclass, replace

import torch

from stochi.errors import InputError
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

    def keep_right(self, victim: Victim, question: Question, right: torch.Tensor) -> None:
        """Keep the answer to a question.

        Args:
            right: (images,) int64, the number of trials in which each image was right.
        """
        answer = {"right": right.tolist(), "trials": self.plan.trials}
        self.store.put(answer_key(victim, self.plan, question), answer)

    def keep_cosines(self, victim: Victim, cosines: Cosines) -> None:
        """Keep a victim's cosines."""
        answer = {"gradient": cosines.gradient, "perturbation": cosines.perturbation}
        self.store.put(similarity_key(victim, self.plan), answer)

    def right_shares(self, victim: Victim, question: Question) -> torch.Tensor:
        """Return the share of right answers for each image, averaged over training seeds.

        Returns:
            (1, images) float64 in [0, 1].

        Raises:
            InputError: an answer is missing.
        """
        found = []
        for seed in range(self.plan.training.seeds):
            trained = replace(victim, seed=seed)
            answer = self.store.get(answer_key(trained, self.plan, question))
            if answer is None:
                raise self._unfinished(trained)
            found.append(torch.tensor(answer["right"]) / answer["trials"])
        return torch.stack(found).double().mean(0)[None]

    def cosines(self, victim: Victim) -> Cosines:
        """Return the cosines of all training seeds, one seed after another.

        Raises:
            InputError: the cosines of a seed are missing.
        """
        gradient: list[float] = []
        perturbation: list[float] = []
        for seed in range(self.plan.training.seeds):
            trained = replace(victim, seed=seed)
            answer = self.store.get(similarity_key(trained, self.plan))
            if answer is None:
                raise self._unfinished(trained)
            gradient += answer["gradient"]
            perturbation += answer["perturbation"]
        return Cosines(tuple(gradient), tuple(perturbation))

    def _unfinished(self, victim: Victim) -> InputError:
        return InputError(
            f"{self.store.folder} lacks answers about {victim.title} (defence {victim.defence},"
            f" seed {victim.seed}); run the study to its end"
        )
