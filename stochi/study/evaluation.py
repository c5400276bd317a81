"""From a finished study's answers to its results."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from stochi.attacks.masking import Finding, find_helpful_budgets, find_masking
from stochi.statistics.intervals import estimate_accuracy, estimate_difference
from stochi.study.answers import Answers
from stochi.study.questions import Question, Questions, questions_about
from stochi.study.results import (
    AccuracyCell,
    CurvePoint,
    DifferenceCell,
    MaskingCell,
    SimilarityCell,
    StudyResults,
)
from stochi.study.victims import FLOAT, Victim


def evaluate(answers: Answers) -> StudyResults:
    """Evaluate the answers of a finished study.

    Raises:
        InputError: an answer is missing, or its file is damaged.
    """
    return StudyResults(
        plan=answers.plan,
        table=tuple(_accuracies(answers)),
        against_lif=tuple(_against_lif(answers)),
        against_float=tuple(_against_float(answers)),
        masking=tuple(_masking(answers)),
        curves=(*_curves(answers), *_sigma_curves(answers)),
        similarities=tuple(_similarities(answers)),
    )


def _victims(answers: Answers) -> list[Victim]:
    """Return each kind of victim once, with seed 0."""
    return [victim for victim in answers.plan.victims() if victim.seed == 0]


def _columns(answers: Answers, victim: Victim, place: str) -> dict[str, Question]:
    """Return the questions that the tables show about a victim in a place, by column."""
    asked = set(questions_about(victim, answers.plan))
    columns = Questions(answers.plan, place).by_column()
    return {name: question for name, question in columns.items() if question in asked}


def _accuracies(answers: Answers) -> Iterator[AccuracyCell]:
    for victim in _victims(answers):
        for place in victim.places:
            for column, question in _columns(answers, victim, place).items():
                accuracy = estimate_accuracy(answers.right_shares(victim, question))
                yield AccuracyCell(victim.defence, victim.title, place, column, accuracy)


def _against_lif(answers: Answers) -> Iterator[DifferenceCell]:
    for victim in _victims(answers):
        plain = Victim(defence=victim.defence)
        if victim == plain:
            continue
        asked = set(questions_about(plain, answers.plan))
        for column, question in _columns(answers, victim, FLOAT).items():
            if question in asked:
                difference = estimate_difference(
                    answers.right_shares(plain, question), answers.right_shares(victim, question)
                )
                yield DifferenceCell(victim.defence, victim.title, FLOAT, column, difference)


def _against_float(answers: Answers) -> Iterator[DifferenceCell]:
    for victim in _victims(answers):
        asked = set(questions_about(victim, answers.plan))
        for place in victim.places[1:]:
            for column, question in _columns(answers, victim, place).items():
                on_float = replace(question, place=FLOAT)
                if question.made_on == FLOAT:
                    on_float = replace(on_float, made_on="own")
                if on_float in asked:
                    difference = estimate_difference(
                        answers.right_shares(victim, on_float),
                        answers.right_shares(victim, question),
                    )
                    yield DifferenceCell(victim.defence, victim.title, place, column, difference)


def _masking(answers: Answers) -> Iterator[MaskingCell]:
    for victim in _victims(answers):
        for place in victim.places:
            if "FGSM" in _columns(answers, victim, place):
                for finding in _signs(answers, victim, place):
                    yield MaskingCell(victim.defence, victim.title, place, finding)


def _signs(answers: Answers, victim: Victim, place: str) -> list[Finding]:
    """Return the signs of masked gradients on a victim in a place.

    The white box is PGD; on images that AutoAttack attacks, too, it is the stronger of both.
    """
    questions = Questions(answers.plan, place)
    asked = set(questions_about(victim, answers.plan))
    white = answers.right_shares(victim, questions.pgd)
    if questions.auto_attack in asked:
        auto = answers.right_shares(victim, questions.auto_attack)
        few = auto.shape[1]
        white = torch.cat([torch.minimum(white[:, :few], auto), white[:, few:]], 1)

    compared = {
        "single_step": questions.fgsm,
        "noise": questions.noise,
        "transferred": questions.transferred,
    }
    found = find_masking(
        white,
        **{name: answers.right_shares(victim, q) for name, q in compared.items() if q in asked},
    )
    for name, question in {"unbounded": questions.unbounded, "black_box": questions.square}.items():
        if question in asked:
            right = answers.right_shares(victim, question)
            found += find_masking(white[:, : question.images], **{name: right})
    if answers.plan.has_curves(victim):
        for axis, by_value in _by_budget(answers, victim, place).items():
            found += find_helpful_budgets(axis, by_value)
    return found


def _by_budget(
    answers: Answers, victim: Victim, place: str
) -> dict[str, dict[float, torch.Tensor]]:
    """Return shares of right answers under PGD's budgets, on the same images.

    Returns:
        The part of the budget that is varied → its value → (1, images); the standard value is among
        them.
    """
    questions = Questions(answers.plan, place)
    pgd, images = questions.pgd, answers.plan.curve_images
    standard = {"epsilon": pgd.epsilon, "iterations": pgd.iterations, "draws": pgd.draws}
    found = {}
    for axis, varied in questions.curves().items():
        asked = {**varied, standard[axis]: pgd}
        found[axis] = {
            value: answers.right_shares(victim, asked[value])[:, :images] for value in sorted(asked)
        }
    return found


def _curves(answers: Answers) -> Iterator[CurvePoint]:
    for victim in _victims(answers):
        if answers.plan.has_curves(victim):
            for place in victim.places:
                for axis, by_value in _by_budget(answers, victim, place).items():
                    for value, right in by_value.items():
                        yield _point(victim, place, axis, value, right)


def _sigma_curves(answers: Answers) -> Iterator[CurvePoint]:
    for victim in _victims(answers):
        if victim.neuron == "RandHet-SNN" and victim.defence in answers.plan.curves.defences:
            for place in victim.places:
                right = answers.right_shares(victim, Questions(answers.plan, place).pgd)
                yield _point(replace(victim, sigma=1.0), place, "sigma", victim.sigma, right)


def _point(victim: Victim, place: str, axis: str, value: float, right: torch.Tensor) -> CurvePoint:
    accuracy = estimate_accuracy(right)
    return CurvePoint(victim.defence, victim.title, place, axis, value, accuracy)


def _similarities(answers: Answers) -> Iterator[SimilarityCell]:
    for victim in _victims(answers):
        if answers.plan.has_curves(victim):
            cosines = answers.cosines(victim)
            yield SimilarityCell(
                victim.defence, victim.title, cosines.gradient, cosines.perturbation
            )
