"""The questions of a study: each asks how often a victim is right under an attack."""

from dataclasses import dataclass, replace

from stochi.attacks.auto_attack import SHARP
from stochi.attacks.surrogates.choice import ADAPTIVE, OWN
from stochi.study.depth import DepthPlan
from stochi.study.options import given
from stochi.study.plan import StudyPlan
from stochi.study.variants import OWN as OWN_NETWORK
from stochi.study.variants import Variant
from stochi.study.victims import FLOAT, MEAN, UNTRAINED, Victim


@dataclass(frozen=True)
class Question:
    """How often a victim is right under an attack, as a value.

    Attributes:
        place: "float", "mean" (λ at its mean), or the stand-in on the chip.
        attack: "clean", or a name of ``stochi.attacks.make_attack``.
        made_on: "own" (on the place's own model), "float" (transferred), or "" if the attack needs
            no model.
        epsilon: ε of the attack.
        iterations: iterations of the attack.
        draws: EOT samples of the attack.
        images: number of images, from the front of the test set.
        surrogates: the surrogates that the attack is told to follow.
        random_layers: number of layers that draw λ, on the float model only; None: all.
    """

    place: str
    attack: str = "clean"
    made_on: str = ""
    epsilon: float = 0.0
    iterations: int = 0
    draws: int = 0
    images: int = 0
    surrogates: str = OWN
    random_layers: int | None = None


@dataclass(frozen=True)
class Questions:
    """A plan's questions about one place.

    Attributes:
        plan: the plan, with images and budgets.
        place: "float", "mean", or the stand-in on the chip.
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
        """PGD with constant steps through the network's own surrogate."""
        pgd, images = self.plan.pgd, self._attacked(self.plan.images)
        return Question(self.place, "pgd", "own", pgd.epsilon, pgd.iterations, pgd.draws, images)

    @property
    def fgsm(self) -> Question:
        """FGSM, a single step."""
        return replace(self.pgd, attack="fgsm", iterations=1)

    @property
    def auto_rand(self) -> Question:
        """AutoAttack in its version for random models, through the network's own surrogate."""
        return replace(
            self.pgd,
            attack="auto-rand",
            iterations=self.plan.auto_attack.iterations,
            images=self._attacked(self.plan.auto_attack_images),
        )

    @property
    def ensemble(self) -> Question:
        """AutoAttack in its version for spiking networks, on the place's own model."""
        return replace(
            self.pgd,
            attack="auto-snn",
            iterations=self.plan.ensemble.iterations,
            draws=self.plan.ensemble.draws,
            images=self._attacked(self.plan.ensemble_images),
        )

    @property
    def transferred(self) -> Question:
        """Images that the ensemble made on the float model."""
        return replace(self.ensemble, made_on=FLOAT)

    @property
    def square(self) -> Question:
        """Square, an attack without gradients."""
        return replace(
            self.pgd,
            attack="square",
            iterations=self.plan.square.iterations,
            images=self._attacked(self.plan.square_images),
        )

    @property
    def climb(self) -> Question:
        """The attack whose budget is varied: cosine-decayed PGD, adaptive surrogate."""
        return replace(
            self.ensemble,
            attack="pgd-cosine",
            surrogates=ADAPTIVE,
            images=self._attacked(self.plan.curve_images),
        )

    @property
    def unbounded(self) -> Question:
        """The same with ε = 1."""
        return replace(self.climb, epsilon=1.0)

    def by_epsilon(self) -> dict[float, Question]:
        """Return the ensemble at every ε that the plan gives it, by ε.

        Deep networks, which take long, meet further ε in floats only.
        """
        further = () if self.plan.depth and self.place != FLOAT else self.plan.ensemble.epsilons
        epsilons = (self.plan.pgd.epsilon, *further)
        return {value: replace(self.ensemble, epsilon=value) for value in sorted(epsilons)}

    def by_surrogate(self) -> dict[str, Question]:
        """Return the same climb through different surrogates, by their names."""
        return {name: replace(self.climb, surrogates=name) for name in (OWN, ADAPTIVE, SHARP)}

    def curves(self) -> dict[str, dict[float, Question]]:
        """Return the climb with one part of its budget changed: the part → its value → it."""
        curves = self.plan.curves
        return {
            "epsilon": {value: replace(self.climb, epsilon=value) for value in curves.epsilons},
            "iterations": {
                value: replace(self.climb, iterations=value) for value in curves.iterations
            },
            "draws": {value: replace(self.climb, draws=value) for value in curves.draws},
        }

    def by_draws(self, depth: DepthPlan, layers: int | None) -> dict[int, Question]:
        """Return the climb at several numbers of EOT draws, on a network with fewer random layers.

        Args:
            layers: number of layers that draw λ; None: all.
        """
        images = min(depth.images, self.plan.images)
        first = replace(self.climb, images=images, random_layers=layers)
        return {count: replace(first, draws=count) for count in depth.draws}

    def _attacked(self, images: int) -> int:
        """Return the number of images that are attacked on the place's own model."""
        if self.place in (FLOAT, MEAN):
            return images
        return min(images, given(self.plan.chip_images, images))

    def strongest(self) -> list[Question]:
        """Return the attacks whose worst is reported, those of every training seed.

        Elsewhere than on the float model, the images that were made there count, too.
        """
        own = [self.ensemble, self.pgd]
        return own if self.place == FLOAT else [*own, self.transferred]

    def weaker(self) -> dict[str, Question]:
        """Return the attacks that know less, or that are weak, by the names of their columns."""
        return {
            "noise": self.noise,
            "FGSM": self.fgsm,
            "PGD": self.pgd,
            "AutoAttack rand": self.auto_rand,
            "Square": self.square,
        }


def questions_about(victim: Victim, plan: StudyPlan) -> list[Question]:
    """Return all questions of a plan about a victim, each once.

    Accuracy under the strongest attacks is asked of every training seed, the rest of the first;
    weaker attacks are run in floats and on the chip that draws as the network does. Deep networks,
    which take long, meet only the strongest attacks on the chip.
    """
    if not plan.attacks(victim):
        return [] if victim.defence == UNTRAINED else [Questions(plan, FLOAT).clean]
    found: dict[Question, None] = {}
    for place in plan.places_of(victim):
        questions = Questions(plan, place)
        asked = [questions.clean, *questions.strongest()]
        if victim.sigma == 1.0 and not victim.randomization:
            asked += questions.by_epsilon().values()
        slow = plan.depth is not None and place != FLOAT
        if victim.sigma == 1.0 and victim.seed == 0 and not slow:
            if place in (FLOAT, victim.faithful):
                asked += questions.weaker().values()
            if not victim.randomization:
                asked += questions.by_surrogate().values()
        if plan.has_curves(victim):
            asked += [q for varied in questions.curves().values() for q in varied.values()]
            asked.append(questions.climb)
        found.update(dict.fromkeys(asked))
    if plan.depth is not None and plan.varies_depth(victim):
        for layers in (*plan.depth.attacked_layers, None):
            by_draws = Questions(plan, FLOAT).by_draws(plan.depth, layers)
            found.update(dict.fromkeys(by_draws.values()))
    return list(found)


def comparisons_about(victim: Victim, plan: StudyPlan) -> list[Variant]:
    """Return the networks with a victim's weights whose draws a plan compares."""
    if plan.depth is not None and plan.varies_depth(victim):
        return plan.depth.variants(victim.defence)
    return [OWN_NETWORK] if plan.has_curves(victim) else []
