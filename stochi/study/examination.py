"""Answers about one victim: it is trained, lowered, attacked and run."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from stochi.attacks import PGD, make_attack
from stochi.attacks.chosen import Chosen
from stochi.attacks.surrogates.choice import OWN
from stochi.attacks.surrogates.replacement import spiking_neurons
from stochi.data.images import Images
from stochi.hardware.fixed_point import GRADED_INPUT_MAX
from stochi.parity.attacked import run_attack
from stochi.study.answers import Answers, Cosines
from stochi.study.networks import load_or_train, make_variant
from stochi.study.questions import Question
from stochi.study.similarity import gradient_similarities, perturbation_similarities
from stochi.study.trained import TrainedNetwork
from stochi.study.variants import OWN as OWN_NETWORK
from stochi.study.variants import Variant
from stochi.study.victims import FLOAT, Victim
from stochi.turns import seeded

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
    open_questions, comparisons = answers.open_work(victim)
    if not open_questions and not comparisons:
        return 0
    find_answers(victim, open_questions, comparisons, answers, training, test)
    return len(open_questions) + len(comparisons)


def find_answers(
    victim: Victim,
    questions: Sequence[Question],
    comparisons: Sequence[Variant],
    answers: Answers,
    training: Images,
    test: Images,
) -> None:
    """Find and keep answers about a victim, in the order of the questions.

    Args:
        comparisons: the variants whose cosines are found, too.
        answers: where they are kept, and its weights are kept or found.
        training, test: the plan's training and test images.
    """
    examination = _Examination(victim, answers, training, test)
    for question in questions:
        answers.keep(victim, question, *examination.answer(question))
    for variant in comparisons:
        answers.keep_cosines(victim, variant, examination.compare_draws(variant))


def made_as(question: Question) -> Question:
    """Return the question about the float model that has the same images, or the question itself.

    Attacks on the float model are made once, for the float model itself and for transfer.
    """
    if question.attack != "clean" and FLOAT in (question.made_on, question.place):
        return replace(question, place=FLOAT, made_on="own")
    return question


class _Examination:
    """One trained victim, with the attacked images made on it."""

    def __init__(self, victim: Victim, answers: Answers, training: Images, test: Images) -> None:
        self.plan, self.test = answers.plan, test
        self.victim, self.training = victim, training
        self.trained = TrainedNetwork(
            load_or_train(victim, answers.plan, training, answers.store),
            training.up_to(answers.plan.calibration_images),
            victim.seed,
            answers.plan.device,
        )
        self.attacked_on_float: dict[Question, Chosen] = {}
        self.with_fewer: dict[int, TrainedNetwork] = {}

    def answer(self, question: Question) -> tuple[torch.Tensor, tuple[str, ...]]:
        """Return whether each image is right in each trial, and which part of the attack made it.

        Returns:
            (all_trials, images) bool, and a name for each image.
        """
        images, found = self.test.first(question.images), self.make_images(question)
        shown, trained = images.with_inputs(found.inputs), self.trained_for(question)
        right = [
            trained.predict(question.place, shown, trial) == images.labels
            for trial in range(self.plan.all_trials)
        ]
        return torch.stack(right), found.by

    def make_images(self, question: Question) -> Chosen:
        """Return a question's images, attacked on the model that the question names."""
        images = self.test.first(question.images)
        if question.attack == "clean":
            return Chosen(images.inputs, ("clean",) * len(images))
        on_float = made_as(question)
        if on_float.place == FLOAT:
            if on_float not in self.attacked_on_float:
                surface = self.trained_for(question).model
                self.attacked_on_float[on_float] = self._attack(on_float, surface, images)
            return self.attacked_on_float[on_float]
        surface = self.trained.make_surface(question.place, question.attack == "square")
        return self._attack(question, surface, images)

    def trained_for(self, question: Question) -> TrainedNetwork:
        """Return the trained network that a question is about."""
        layers, trained = question.random_layers, self.trained
        if layers is None:
            return trained
        if layers not in self.with_fewer:
            model = self.varied(Variant(random_layers=layers))
            self.with_fewer[layers] = TrainedNetwork(
                model, trained.calibration, trained.seed, trained.device
            )
        return self.with_fewer[layers]

    def varied(self, variant: Variant) -> nn.Module:
        """Return a variant of the float model."""
        own = self.trained.model
        if variant == OWN_NETWORK:
            return own
        return make_variant(self.victim, self.plan, self.training, own, variant)

    def compare_draws(self, variant: Variant) -> Cosines:
        """Return the cosines between draws of a variant of the float model."""
        model = self.varied(variant)
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
            gradients = gradient_similarities(model, images, draws, self.plan.batch_size)
        perturbations = perturbation_similarities(model, images, pgd, draws)
        return Cosines(tuple(gradients.tolist()), tuple(perturbations.tolist()))

    def _attack(self, question: Question, surface: nn.Module, images: Images) -> Chosen:
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
        return run_attack(attack, surface, images, self.plan.batch_size)
