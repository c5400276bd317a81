"""Answers about one victim: it is trained, lowered, attacked and asked."""

from dataclasses import asdict
from functools import cached_property
from typing import Any

import nir
import torch
from torch import nn

from stochi.attacks import PGD, ProgramModel, make_attack
from stochi.data.images import Images
from stochi.deploy import Program, calibrate, lower
from stochi.export import to_nir
from stochi.hardware.fixed_point import GRADED_INPUT_MAX
from stochi.sim import run
from stochi.sim.attacked import images_at_a_time, make
from stochi.sim.checks import ATTACKER_SEED
from stochi.sim.float_record import run_float_model
from stochi.study.plan import FLOAT, Question, StudyPlan, Victim
from stochi.study.similarity import gradient_similarities, perturbation_similarities
from stochi.study.store import Store
from stochi.study.train import trained
from stochi.train.hardware_aware import FreshDraws, twin_of

FORMAT = 1
CHIP_FORMAT = 2
"""Of answers from the chip alone; it is raised when the same network gives other integers."""
ATTACK_SEED = 5


def examine(
    victim: Victim, plan: StudyPlan, training: Images, test: Images, store: Store
) -> tuple[str, int]:
    """Find what is not known about a victim yet; its title, and how many answers that took."""
    missing = [q for q in plan.questions(victim) if store.get(about(victim, plan, q)) is None]
    alike = plan.has_curves(victim) and store.get(about_similarity(victim, plan)) is None
    if not missing and not alike:
        return victim.title, 0
    examination = _Examination(victim, plan, training, test, store)
    for question in missing:
        store.put(about(victim, plan, question), examination.answer(question))
    if alike:
        store.put(about_similarity(victim, plan), examination.similarities())
    return victim.title, len(missing) + alike


def about(victim: Victim, plan: StudyPlan, question: Question) -> dict[str, Any]:
    """All that an answer depends on."""
    depends: dict[str, Any] = {"question": asdict(question), "trials": plan.trials}
    if question.place != FLOAT:
        depends["calibration_images"] = plan.calibration_images
        depends["chip_format"] = CHIP_FORMAT
    return {**_about(victim, plan), **depends}


def about_similarity(victim: Victim, plan: StudyPlan) -> dict[str, Any]:
    """All that the similarities depend on."""
    asked = {
        "images": plan.images_for_similarity,
        "draws": plan.similarity_draws,
        "epsilon": plan.epsilon,
        "steps": plan.steps,
    }
    return {**_about(victim, plan), "similarity": asked}


def _about(victim: Victim, plan: StudyPlan) -> dict[str, Any]:
    return {"format": FORMAT, "training": plan.training(victim)}


class _Examination:
    """One trained victim, and what was made of it so far."""

    def __init__(
        self, victim: Victim, plan: StudyPlan, training: Images, test: Images, store: Store
    ) -> None:
        self.victim, self.plan, self.training, self.test = victim, plan, training, test
        self.model = trained(victim, plan, training, store)
        self.sample = test.inputs[:1]
        self.programs: dict[str, Program] = {}
        self.twins: dict[str, nn.Module] = {}
        self.shown: dict[Question, torch.Tensor] = {}

    @cached_property
    def graph(self) -> nir.NIRGraph:
        return to_nir(self.model, self.sample)

    def program(self, place: str) -> Program:
        if place not in self.programs:
            if place == "membrane":
                data = self.training.inputs[: self.plan.calibration_images]
                self.programs[place], _ = calibrate(self.graph, data, noise=place)
            else:
                self.programs[place] = lower(self.graph, noise=place)
        return self.programs[place]

    def answer(self, question: Question) -> dict[str, Any]:
        """How many of the trials each image was right in."""
        images = self.test.first(question.images)
        shown = self.images_to_show(question)
        right = torch.zeros(len(images), dtype=torch.int64)
        for trial in range(self.plan.trials):
            right += self.predict(question.place, shown, trial) == images.labels
        return {"right": right.tolist(), "trials": self.plan.trials}

    def predict(self, place: str, shown: torch.Tensor, trial: int) -> torch.Tensor:
        seed = self.victim.seed
        if place == FLOAT:
            with torch.no_grad():
                few = images_at_a_time(shown, 1)
                return run_float_model(self.model, shown, seed, trial, few).argmax(1)
        return run(self.program(place), shown, seed=seed, trial=trial).predictions()

    def images_to_show(self, question: Question) -> torch.Tensor:
        """Transferred images are those that were made on the float model, found once."""
        images = self.test.first(question.images)
        if question.attack == "clean":
            return images.inputs
        if question.made_on == FLOAT or question.place == FLOAT:
            made = Question(**{**asdict(question), "place": FLOAT, "made_on": "own"})
            if made not in self.shown:
                self.shown[made] = self.attacked(made, self.model, images)
            return self.shown[made]
        return self.attacked(question, self.surface(question), images)

    def attacked(self, question: Question, surface: nn.Module, images: Images) -> torch.Tensor:
        attack = make_attack(
            question.attack,
            question.epsilon,
            steps=question.steps,
            draws=question.draws,
            seed=ATTACK_SEED,
            grid=GRADED_INPUT_MAX,
        )
        return make(attack, surface, images).inputs

    def surface(self, question: Question) -> nn.Module:
        """What a chip's attacker asks: the Program, or its hardware-aware twin for gradients."""
        program = self.program(question.place)
        if question.attack == "square":
            return ProgramModel(program, ATTACKER_SEED)
        if question.place not in self.twins:
            self.twins[question.place] = twin_of(program, self.model, self.sample)
        return FreshDraws(self.twins[question.place], ATTACKER_SEED)

    def similarities(self) -> dict[str, Any]:
        """By image: cosines between draws, of gradients and of perturbations."""
        images, draws = self.test.first(self.plan.images_for_similarity), self.plan.similarity_draws
        pgd = PGD(self.plan.epsilon, ATTACK_SEED, self.plan.steps, use_random_start=False, draws=1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(ATTACK_SEED)
            gradients = gradient_similarities(self.model, images.inputs, images.labels, draws)
        perturbations = perturbation_similarities(
            self.model, images.inputs, images.labels, pgd, draws
        )
        return {"gradient": gradients.tolist(), "perturbation": perturbations.tolist()}
