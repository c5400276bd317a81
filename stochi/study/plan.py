"""What the study asks: which networks, attacked how, on which side."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from stochi.errors import InputError

NEURONS = {
    "LIF": "mean",
    "RandHet-SNN": "step",
    "RandHet-SNN**": "forward",
}
"""What the paper calls the networks, and when their neurons draw λ."""
DEFENCES = ("none", "fgsm", "pgd", "rat", "sr", "hire")
BASELINES = {"weight-noise": 0.25, "spike-pruning": 0.2, "input-noise": 0.1, "resize-pad": 0.25}
"""Plain LIF networks that are random elsewhere, and how much (``stochi.train.randomization``)."""
FLOAT = "float"
STAND_INS = ("decay", "membrane", "none")
"""What the chip may do in place of drawing τ; see docs/noise.md."""


@dataclass(frozen=True)
class Victim:
    """A network to train and attack.

    Attributes:
        neuron: a key of ``NEURONS``.
        defence: what it is trained with, of ``DEFENCES``.
        randomization: of ``BASELINES``, or "" for none.
        sigma: the spread of λ's logit.
        seed: of the training.
    """

    neuron: str = "LIF"
    defence: str = "none"
    randomization: str = ""
    sigma: float = 1.0
    seed: int = 0

    @property
    def random_tau(self) -> bool:
        """Whether its neurons draw λ."""
        return self.neuron != "LIF"

    @property
    def places(self) -> tuple[str, ...]:
        """Where it can run: as trained, and on the chip with each stand-in. What the baselines draw
        no chip draws; a plain LIF has no τ to stand in for."""
        if self.randomization:
            return (FLOAT,)
        return (FLOAT, *STAND_INS) if self.random_tau else (FLOAT, "none")

    @property
    def title(self) -> str:
        """As in tables."""
        name = f"LIF, {self.randomization}" if self.randomization else self.neuron
        return name if self.sigma == 1.0 else f"{name}, σ = {self.sigma:g}"


@dataclass(frozen=True)
class Question:
    """How often is a victim right, there, when shown this?

    Attributes:
        place: "float", or the stand-in that it has on the chip.
        attack: "clean", "noise", "fgsm", "pgd", "auto-rand" or "square".
        made_on: "own" (on the place's own model), "float" (transferred), or "" where no model
            matters.
        epsilon: ε; steps, draws: of the attack.
        images: how many, from the front of the test set.
    """

    place: str
    attack: str = "clean"
    made_on: str = ""
    epsilon: float = 0.0
    steps: int = 0
    draws: int = 0
    images: int = 0


@dataclass(frozen=True)
class StudyPlan:
    """How much of it. What is recorded with every answer is :meth:`training` or the question.

    Attributes:
        data: the data set's name.
        time_steps: that an image is shown.
        training_images, images: from the front of its training and test parts.
        epochs, seeds: of the training.
        trials: repetitions of every accuracy, each with other draws.
        epsilon: ε of the attacks; training_epsilon: ε of adversarial training.
        steps, draws: of PGD.
        black_box_images, squares: of the Square attack, which asks many questions.
        auto_images, auto_steps: of AutoAttack, and the steps of its parts.
        curve_images, curve_epsilons, curve_steps, curve_draws: PGD's budget, varied one at a time.
        sigmas: other spreads of λ's logit than 1.
        curve_defences: those with which budgets, σ and the random baselines are looked at.
        calibration_images: that additive noise is fitted to.
        similarity_images, similarity_draws: for the cosine similarities between draws.
    """

    data: str = "digits"
    time_steps: int = 8
    training_images: int = 1438
    images: int = 359
    epochs: int = 25
    seeds: int = 1
    trials: int = 10
    epsilon: float = 25 / 255
    training_epsilon: float = 25 / 255
    steps: int = 20
    draws: int = 10
    black_box_images: int = 100
    squares: int = 300
    auto_images: int = 359
    auto_steps: int = 20
    curve_images: int = 359
    curve_epsilons: tuple[float, ...] = (5 / 255, 10 / 255, 15 / 255, 35 / 255, 1.0)
    curve_steps: tuple[int, ...] = (1, 5, 10, 50)
    curve_draws: tuple[int, ...] = (1, 20, 30)
    sigmas: tuple[float, ...] = (0.25, 0.5, 2.0, 4.0)
    defences: tuple[str, ...] = DEFENCES
    curve_defences: tuple[str, ...] = ("none", "pgd")
    baselines: tuple[str, ...] = tuple(BASELINES)
    calibration_images: int = 256
    similarity_images: int = 64
    similarity_draws: int = 8

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, int) and value < 1:
                raise InputError(f"{name} is {value}; it must be at least 1")
        for name in ("epsilon", "training_epsilon"):
            if not 0 < getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must lie in (0, 1]")
        for name, known in (
            ("defences", DEFENCES),
            ("curve_defences", self.defences),
            ("baselines", tuple(BASELINES)),
        ):
            unknown = set(getattr(self, name)) - set(known)
            if unknown:
                raise InputError(
                    f"unknown {name} {', '.join(sorted(unknown))}; known: {', '.join(known)}"
                )

    def training(self, victim: Victim) -> dict[str, Any]:
        """All that a victim's weights depend on."""
        return {
            "victim": asdict(victim),
            "data": self.data,
            "time_steps": self.time_steps,
            "training_images": self.training_images,
            "epochs": self.epochs,
            "training_epsilon": self.training_epsilon if victim.defence != "none" else None,
        }

    def main_victims(self) -> Iterator[Victim]:
        """Every neuron with every defence, and the baselines with those of the curves."""
        for seed in range(self.seeds):
            for defence in self.defences:
                for neuron in NEURONS:
                    yield Victim(neuron, defence, seed=seed)
            for defence in self.curve_defences:
                for randomization in self.baselines:
                    yield Victim("LIF", defence, randomization, seed=seed)

    def sigma_victims(self) -> Iterator[Victim]:
        """Random τ with other spreads."""
        for victim in self.main_victims():
            if victim.neuron == "RandHet-SNN" and victim.defence in self.curve_defences:
                for sigma in self.sigmas:
                    yield replace(victim, sigma=sigma)

    def victims(self) -> Iterator[Victim]:
        """All of them, each once."""
        yield from self.main_victims()
        yield from self.sigma_victims()

    def has_curves(self, victim: Victim) -> bool:
        """Whether ε, steps and draws are varied."""
        plain = not victim.randomization and victim.sigma == 1.0
        return plain and victim.defence in self.curve_defences

    def clean(self, place: str) -> Question:
        """Right on the images as they are?"""
        return Question(place, images=self.images)

    def pgd(self, place: str, made_on: str = "own", **changed: Any) -> Question:
        """Right under PGD?"""
        standard = Question(
            place, "pgd", made_on, self.epsilon, self.steps, self.draws, self.images
        )
        return replace(standard, **changed)

    def questions(self, victim: Victim) -> list[Question]:
        """All that is asked about a victim, each once."""
        found: dict[Question, None] = {}
        for place in victim.places:
            found[self.clean(place)] = None
            found[self.pgd(place)] = None
            if place != FLOAT:
                found[self.pgd(place, "float")] = None
            if victim.sigma == 1.0:
                found.update(dict.fromkeys(self._others(place)))
            if self.has_curves(victim):
                found.update(dict.fromkeys(self._curves(place)))
        return list(found)

    def _others(self, place: str) -> Iterator[Question]:
        yield self.fgsm(place)
        yield self.noise(place)
        yield self.auto(place)
        yield self.square(place)

    def _curves(self, place: str) -> Iterator[Question]:
        for axis, values in self.curves().items():
            for value in values:
                yield self.on_curve(place, axis, value)

    def curves(self) -> dict[str, tuple[float, ...]]:
        """What is varied of PGD → its values, without the standard one."""
        return {
            "epsilon": self.curve_epsilons,
            "steps": self.curve_steps,
            "draws": self.curve_draws,
        }

    def on_curve(self, place: str, axis: str, value: float) -> Question:
        """Right under PGD with that changed?"""
        changed: dict[str, Any] = {axis: value}
        return self.pgd(place, images=min(self.curve_images, self.images), **changed)

    @property
    def images_for_similarity(self) -> int:
        """As many as the plan says and there are."""
        return min(self.similarity_images, self.images)

    def fgsm(self, place: str) -> Question:
        """Right under one step?"""
        return replace(self.pgd(place), attack="fgsm", steps=1)

    def noise(self, place: str) -> Question:
        """Right under uniform noise?"""
        return Question(place, "noise", "", self.epsilon, images=self.images)

    def auto(self, place: str) -> Question:
        """Right under AutoAttack's recipe for random models?"""
        asked = replace(self.pgd(place), attack="auto-rand", steps=self.auto_steps)
        return replace(asked, images=min(self.auto_images, self.images))

    def square(self, place: str) -> Question:
        """Right under an attack without gradients?"""
        asked = replace(self.pgd(place), attack="square", steps=self.squares)
        return replace(asked, images=min(self.black_box_images, self.images))


FULL = StudyPlan()
QUICK = StudyPlan(
    images=100,
    epochs=10,
    trials=5,
    steps=10,
    draws=5,
    black_box_images=32,
    squares=50,
    auto_steps=5,
    curve_epsilons=(10 / 255, 1.0),
    curve_steps=(1,),
    curve_draws=(1,),
    sigmas=(2.0,),
    defences=("none", "pgd"),
    baselines=("input-noise",),
    calibration_images=64,
    similarity_images=16,
    similarity_draws=4,
)

SMALL = StudyPlan(
    time_steps=4,
    training_images=5000,
    images=1000,
    epochs=8,
    trials=5,
    steps=10,
    draws=5,
    black_box_images=50,
    squares=100,
    auto_images=125,
    auto_steps=10,
    curve_images=100,
    curve_epsilons=(4 / 255, 1.0),
    curve_steps=(1, 20),
    curve_draws=(1, 10),
    sigmas=(0.5, 2.0),
    defences=("none", "fgsm"),
    curve_defences=("fgsm",),
    baselines=("input-noise",),
    calibration_images=64,
    similarity_images=32,
)
"""What two cores do of convolutional networks in an hour or two."""


def plan_for(data: str, quick: bool) -> StudyPlan:
    """The plan for a data set: ``FULL`` for the digits, ``SMALL`` for others, whose networks are
    convolutional, or ``QUICK``. CIFAR's ε are the RandHet paper's."""
    plan = QUICK if quick else FULL if data == "digits" else SMALL
    plan = replace(plan, data=data)
    if data.startswith("cifar"):
        plan = replace(plan, epsilon=8 / 255, training_epsilon=4 / 255)
    return plan
