"""A plan's answers, kept in a store."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from stochi.statistics.worst import take_worst
from stochi.study.kept import KeptAnswers, as_rows, check_numbers, check_rows
from stochi.study.keys import answer_key, similarity_key, weights_key
from stochi.study.plan import StudyPlan
from stochi.study.questions import Question, comparisons_about, questions_about
from stochi.study.store import Key
from stochi.study.variants import Variant
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


class Answers(KeptAnswers[StudyPlan, Question]):
    """The answers of a plan on images."""

    def questions(self, victim: Victim) -> list[Question]:
        """Return all of the plan's questions about a victim, each once."""
        return questions_about(victim, self.plan)

    def key(self, victim: Victim, question: Question) -> Key:
        """Return all that an answer depends on."""
        return answer_key(victim, self.plan, question)

    def check(self, question: Question, answer: dict[str, Any]) -> None:
        """Raise KeyError, TypeError or ValueError unless an answer has the form of one."""
        check_rows(answer["right"], self.plan.all_trials, question.images)
        check_numbers(list(answer["by"].values()), None)
        if sum(answer["by"].values()) != question.images:
            raise ValueError("not as many attacks as images")

    def open_work(self, victim: Victim) -> tuple[list[Question], list[Variant]]:
        """Return the questions about a victim, and its variants' cosines, that are missing."""
        return self.open_questions(victim), self.open_comparisons(victim)

    def has_weights(self, victim: Victim) -> bool:
        """Return whether the store holds a victim's weights."""
        return self.store.path(weights_key(victim, self.plan), "pt").is_file()

    def open_comparisons(self, victim: Victim) -> list[Variant]:
        """Return the variants of a victim whose cosines the store lacks."""
        asked = comparisons_about(victim, self.plan)
        return [variant for variant in asked if self._find_cosines(victim, variant) is None]

    def keep(
        self, victim: Victim, question: Question, right: torch.Tensor, by: Sequence[str]
    ) -> None:
        """Keep the answer to a question.

        Args:
            right: (plan.all_trials, images) bool, whether each image was right in each trial.
            by: for each image, the name of the part of the attack that made it.
        """
        answer = {"right": as_rows(right), "by": dict(Counter(by))}
        self.store.put(self.key(victim, question), answer)

    def keep_cosines(self, victim: Victim, variant: Variant, cosines: Cosines) -> None:
        """Keep the cosines of a variant of a victim."""
        answer = {"gradient": cosines.gradient, "perturbation": cosines.perturbation}
        self.store.put(similarity_key(victim, self.plan, variant), answer)

    def shares(
        self, victim: Victim, questions: Sequence[Question], every_draw: bool = False
    ) -> torch.Tensor:
        """Return how often each image was right under the worst of several attacks.

        The worst is chosen for each image by the first trials, and reported by the last.

        Args:
            questions: of one place; the images that all have, in each training, are compared.
            every_draw: whether an image counts as right only if it was in every trial.

        Returns:
            (seeds, images) float64 in [0, 1], for the training seeds that were asked.

        Raises:
            InputError: an answer is missing.
        """
        found = []
        for trained in self.trained(victim, questions):
            asked = self.questions(trained)
            each = [self.right(trained, q) for q in questions if q in asked]
            images = min(right.shape[1] for right in each)
            right = torch.stack([right[:, :images] for right in each]).double()
            worst = take_worst(right[:, : -self.plan.trials], right[:, -self.plan.trials :])
            found.append(worst.amin(0) if every_draw else worst.mean(0))
        # Some attacks, of fewer images, are those of the first training alone.
        common = min(len(shares) for shares in found)
        return torch.stack([shares[:common] for shares in found])

    def in_a_row(self, victim: Victim, question: Question, showings: int) -> torch.Tensor:
        """Return whether each image was right in each of several showings.

        Args:
            showings: their number, from 1 to the plan's ``all_trials``.

        Returns:
            (seeds, images) float64, 0 or 1, for the training seeds that were asked.

        Raises:
            InputError: an answer is missing.
        """
        right = [self.right(one, question) for one in self.trained(victim, [question])]
        return torch.stack([each[-showings:].all(0) for each in right]).double()

    def winners(self, victim: Victim, question: Question) -> dict[str, float]:
        """Return the share of images that each part of an attack made, over all training seeds.

        Raises:
            InputError: an answer is missing.
        """
        total: Counter[str] = Counter()
        for trained in self.trained(victim, [question]):
            total.update(self.answer(trained, question)["by"])
        return {name: count / total.total() for name, count in sorted(total.items())}

    def cosines(self, victim: Victim, variant: Variant) -> Cosines:
        """Return the cosines of a variant of a victim.

        Raises:
            InputError: they are missing.
        """
        answer = self._find_cosines(victim, variant)
        if answer is None:
            raise self.unfinished(victim)
        return Cosines(tuple(answer["gradient"]), tuple(answer["perturbation"]))

    def _find_cosines(self, victim: Victim, variant: Variant) -> dict[str, Any] | None:
        key = similarity_key(victim, self.plan, variant)
        return self.store.get(key, self._check_cosines)

    def _check_cosines(self, answer: dict[str, Any]) -> None:
        for name in ("gradient", "perturbation"):
            check_numbers(answer[name], self.plan.similarity_images, -1.01, 1.01)
