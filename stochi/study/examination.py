"""Answers about one victim: it is trained, lowered, attacked and run."""

from dataclasses import replace
from functools import cached_property

import nir
import torch
from torch import nn

from stochi.attacks import PGD, ProgramModel, make_attack
from stochi.attacks.chosen import Chosen
from stochi.attacks.expectation import seeded
from stochi.attacks.surrogates.choice import OWN
from stochi.attacks.surrogates.replacement import spiking_neurons
from stochi.data.images import Images
from stochi.deploy import Program, calibrate, lower
from stochi.export import to_nir
from stochi.export.copying import copy_model
from stochi.hardware.draws import Draws
from stochi.hardware.fixed_point import GRADED_INPUT_MAX
from stochi.parity.arguments import ATTACKER_SEED
from stochi.parity.attacked import images_at_a_time, run_attack
from stochi.parity.records.float_model import run_float_model
from stochi.sim.backends import run
from stochi.study.answers import Answers, Cosines
from stochi.study.networks import load_or_train
from stochi.study.questions import Question
from stochi.study.similarity import gradient_similarities, perturbation_similarities
from stochi.study.victims import FLOAT, MEAN, Victim
from stochi.train.neurons.random_tau_leaky import RandomTauLeaky
from stochi.train.twin.model import FreshDraws, twin_of

ATTACK_SEED = 5
"""Seed of the attacks' own random choices."""


def examine(victim: Victim, answers: Answers, training: Images, test: Images) -> int:
    """Find and keep all answers about a victim that are still missing.

    Args:
        answers: the plan's answers so far.
        training, test: the plan's training and test images.

    Returns:
        The number of answers that were missing.
    """
    open_questions, needs_cosines = answers.open_questions(victim), answers.needs_cosines(victim)
    if not open_questions and not needs_cosines:
        return 0
    examination = _Examination(victim, answers, training, test)
    for question in open_questions:
        answers.keep(victim, question, *examination.answer(question))
    if needs_cosines:
        answers.keep_cosines(victim, examination.compare_draws())
    return len(open_questions) + needs_cosines


class _Examination:
    """One trained victim, with the Programs, twins and attacked images made from it."""

    def __init__(self, victim: Victim, answers: Answers, training: Images, test: Images) -> None:
        self.victim, self.plan, self.training, self.test = victim, answers.plan, training, test
        self.model = load_or_train(victim, answers.plan, training, answers.store)
        self.sample = test.inputs[:1].to(answers.plan.device)
        self.programs: dict[str, Program] = {}
        self.twins: dict[str, nn.Module] = {}
        self.attacked_on_float: dict[Question, Chosen] = {}

    @cached_property
    def graph(self) -> nir.NIRGraph:
        """The network as a graph."""
        return to_nir(self.model, self.sample)

    @cached_property
    def mean_model(self) -> nn.Module:
        """The network with λ at its mean in all of its neurons."""
        copied = copy_model(self.model)
        for module in copied.modules():
            if isinstance(module, RandomTauLeaky):
                module.sampling = "mean"
        return copied

    def make_program(self, place: str) -> Program:
        """Return the Program with a place's stand-in, lowered at the first call."""
        if place not in self.programs:
            if place == "membrane":
                data = self.training.inputs[: self.plan.calibration_images]
                self.programs[place], _ = calibrate(self.graph, data, noise=place)
            else:
                self.programs[place] = lower(self.graph, noise=place)
        return self.programs[place]

    def answer(self, question: Question) -> tuple[torch.Tensor, tuple[str, ...]]:
        """Return whether each image is right in each trial, and which part of the attack made it.

        Returns:
            (all_trials, images) bool, and a name for each image.
        """
        images, found = self.test.first(question.images), self.make_images(question)
        right = [
            self.predict(question.place, found.inputs, trial) == images.labels
            for trial in range(self.plan.all_trials)
        ]
        return torch.stack(right), found.by

    def predict(self, place: str, shown: torch.Tensor, trial: int) -> torch.Tensor:
        """Return the classes that the victim answers in a place, (images,)."""
        seed = self.victim.seed
        if place in (FLOAT, MEAN):
            model = self.model if place == FLOAT else self.mean_model
            with torch.no_grad():
                few = images_at_a_time(shown, 1)
                return run_float_model(model, shown, Draws(seed, trial), few).argmax(1).cpu()
        program, device = self.make_program(place), self.plan.device
        return run(program, shown, seed=seed, trial=trial, device=device).predictions()

    def make_images(self, question: Question) -> Chosen:
        """Return a question's images, attacked on the model that the question names.

        Attacks on the float model are made once, for the float model itself and for transfer.
        """
        images = self.test.first(question.images)
        if question.attack == "clean":
            return Chosen(images.inputs, ("clean",) * len(images))
        if question.made_on == FLOAT or question.place == FLOAT:
            on_float = replace(question, place=FLOAT, made_on="own")
            if on_float not in self.attacked_on_float:
                self.attacked_on_float[on_float] = _attack(on_float, self.model, images)
            return self.attacked_on_float[on_float]
        return _attack(question, self.make_surface(question), images)

    def make_surface(self, question: Question) -> nn.Module:
        """Return an attacker's model: λ at its mean, the Program, or its twin for gradients."""
        if question.place == MEAN:
            return self.mean_model
        program = self.make_program(question.place)
        if question.attack == "square":
            return ProgramModel(program, ATTACKER_SEED)
        if question.place not in self.twins:
            twin = twin_of(program, self.model, self.sample)
            self.twins[question.place] = twin.to(self.plan.device)
        return FreshDraws(self.twins[question.place], ATTACKER_SEED)

    def compare_draws(self) -> Cosines:
        """Return the cosines between draws of the float model."""
        draws, device = self.plan.similarity.draws, torch.device(self.plan.device)
        images = self.test.first(self.plan.similarity_images).to(device)
        pgd = PGD(
            self.plan.pgd.epsilon,
            ATTACK_SEED,
            iterations=self.plan.pgd.iterations,
            use_random_start=False,
            draws=1,
        )
        with seeded(ATTACK_SEED):
            gradients = gradient_similarities(self.model, images, draws)
        perturbations = perturbation_similarities(self.model, images, pgd, draws)
        return Cosines(tuple(gradients.tolist()), tuple(perturbations.tolist()))


def _attack(question: Question, surface: nn.Module, images: Images) -> Chosen:
    """Return images with a question's attack, made on a model."""
    told = question.surrogates if spiking_neurons(surface) else OWN
    attack = make_attack(
        question.attack,
        question.epsilon,
        iterations=question.iterations,
        draws=question.draws,
        surrogates=told,
        seed=ATTACK_SEED,
        grid=GRADED_INPUT_MAX,
    )
    return run_attack(attack, surface, images)
