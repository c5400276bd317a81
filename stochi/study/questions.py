"""The questions of a study: each asks how often a victim is right under an attack."""

from dataclasses import dataclass, replace

from stochi.study.plan import StudyPlan
from stochi.study.victims import FLOAT, Victim


@dataclass(frozen=True)
class Question:
    """How often a victim is right under an attack, as a value.

    Attributes:
        place: "float", or the stand-in on the chip.
        attack: "clean", "noise", "fgsm", "pgd", "auto-rand" or "square".
        made_on: "own" (on the place's own model), "float" (transferred), or "" if the attack needs
            no model.
        epsilon: ε of the attack.
        iterations: iterations of the attack.
        draws: EOT samples of the attack.
        images: number of images, from the front of the test set.
    """

    place: str
    attack: str = "clean"
    made_on: str = ""
    epsilon: float = 0.0
    iterations: int = 0
    draws: int = 0
    images: int = 0


@dataclass(frozen=True)
class Questions:
    """A plan's questions about one place.

    Attributes:
        plan: the plan, with images and budgets.
        place: "float", or the stand-in on the chip.
    """

    plan: StudyPlan
    place: str

    @property
    def clean(self) -> Question:
        """Images as they are."""
        return Question(self.place, images=self.plan.images)

    @property
    def noise(self) -> Question:
        """Uniform noise in the ε-ball."""
        return Question(self.place, "noise", epsilon=self.plan.pgd.epsilon, images=self.plan.images)

    @property
    def pgd(self) -> Question:
        """PGD with the standard budget, on the place's own model."""
        pgd = self.plan.pgd
        return Question(
            self.place, "pgd", "own", pgd.epsilon, pgd.iterations, pgd.draws, self.plan.images
        )

    @property
    def transferred(self) -> Question:
        """Images that PGD made on the float model."""
        return replace(self.pgd, made_on=FLOAT)

    @property
    def fgsm(self) -> Question:
        """FGSM, a single step."""
        return replace(self.pgd, attack="fgsm", iterations=1)

    @property
    def auto_attack(self) -> Question:
        """AutoAttack in its version for random models."""
        return replace(
            self.pgd,
            attack="auto-rand",
            iterations=self.plan.auto_attack.iterations,
            images=self.plan.auto_attack_images,
        )

    @property
    def square(self) -> Question:
        """Square, an attack without gradients."""
        return replace(
            self.pgd,
            attack="square",
            iterations=self.plan.square.iterations,
            images=self.plan.square_images,
        )

    @property
    def unbounded(self) -> Question:
        """PGD with ε = 1."""
        return replace(self.pgd, epsilon=1.0, images=self.plan.curve_images)

    def curves(self) -> dict[str, dict[float, Question]]:
        """Return PGD with one part of its budget changed: the part → its value → the question."""
        curves = self.plan.curves
        standard = replace(self.pgd, images=self.plan.curve_images)
        return {
            "epsilon": {value: replace(standard, epsilon=value) for value in curves.epsilons},
            "iterations": {
                value: replace(standard, iterations=value) for value in curves.iterations
            },
            "draws": {value: replace(standard, draws=value) for value in curves.draws},
        }

    def by_column(self) -> dict[str, Question]:
        """Return the questions of the tables, by the names of their columns."""
        return {
            "clean": self.clean,
            "noise": self.noise,
            "FGSM": self.fgsm,
            "PGD": self.pgd,
            "PGD, transferred": self.transferred,
            "AutoAttack rand": self.auto_attack,
            "Square": self.square,
        }


def questions_about(victim: Victim, plan: StudyPlan) -> list[Question]:
    """Return all questions of a plan about a victim, each once."""
    found: dict[Question, None] = {}
    for place in victim.places:
        questions = Questions(plan, place)
        asked = [questions.clean, questions.pgd]
        if place != FLOAT:
            asked.append(questions.transferred)
        if victim.sigma == 1.0:
            asked += [questions.fgsm, questions.noise, questions.auto_attack, questions.square]
        if plan.has_curves(victim):
            asked += [q for varied in questions.curves().values() for q in varied.values()]
        found.update(dict.fromkeys(asked))
    return list(found)
