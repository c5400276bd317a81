"""From a finished study's answers to its results."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch

from stochi.attacks.masking import Finding, find_helpful_budgets, find_masking
from stochi.attacks.surrogates.choice import OWN
from stochi.statistics.intervals import (
    estimate_accuracy,
    estimate_difference,
    estimate_over_trainings,
)
from stochi.study.answers import Answers
from stochi.study.questions import Question, Questions, comparisons_about, questions_about
from stochi.study.results import (
    AccuracyCell,
    CurvePoint,
    DepthPoint,
    DifferenceCell,
    MaskingCell,
    SimilarityCell,
    StudyResults,
    WinnerCell,
)
from stochi.study.variants import Variant
from stochi.study.victims import FLOAT, Victim

CLEAN, SNN, TRANSFERRED = "clean", "AutoAttack snn", "transferred"
WORST, EVERY_DRAW = "worst", "worst, every draw"
SHOWINGS = (5, 10, 20)
"""Numbers of showings in each of which an image has to be right."""
Shares = Mapping[str, torch.Tensor]
"""Column → (seeds, images) shares of right answers."""
AllShares = Mapping[tuple[Victim, str], Shares]
"""Victim and place → its shares."""


def evaluate(answers: Answers) -> StudyResults:
    """Evaluate the answers of a finished study.

    Raises:
        InputError: an answer is missing, or its file is damaged.
    """
    shares = {
        (victim, place): _shares(answers, victim, place)
        for victim in _victims(answers)
        for place in answers.plan.places_of(victim)
    }
    in_a_row = {
        (victim, place): _showings(answers, victim, place)
        for victim, place in shares
        if victim.sigma == 1.0 and not victim.randomization
    }
    return StudyResults(
        plan=answers.plan,
        table=(*_accuracies(shares), *_clean_only(answers)),
        weaker=tuple(_asked_once(answers, lambda questions: questions.weaker())),
        surrogates=tuple(_asked_once(answers, lambda questions: questions.by_surrogate())),
        against_lif=tuple(_against_lif(shares)),
        against_float=tuple(_against_float(shares)),
        winners=tuple(_winners(answers)),
        showings=tuple(_accuracies(in_a_row)),
        showings_against_lif=tuple(_against_lif(in_a_row)),
        masking=tuple(_masking(answers)),
        curves=(*_curves(answers), *_sigma_curves(answers)),
        converged=tuple(_converged(answers)),
        similarities=tuple(_similarities(answers)),
        draws_by_depth=tuple(_draws_by_depth(answers)),
    )


def _victims(answers: Answers) -> list[Victim]:
    """Return each kind of victim that is attacked once, with seed 0."""
    plan = answers.plan
    return [victim for victim in plan.victims() if victim.seed == 0 and plan.attacks(victim)]


def _clean_only(answers: Answers) -> Iterator[AccuracyCell]:
    """Yield the accuracies of networks that are trained and not attacked."""
    for victim in answers.plan.victims():
        if not answers.plan.attacks(victim):
            for question in questions_about(victim, answers.plan):
                right = answers.shares(victim, [question])
                yield _accuracy_cell(victim, question.place, CLEAN, right)


def _shares(answers: Answers, victim: Victim, place: str) -> Shares:
    """Return a victim's shares of right answers in a place, by the columns of the main tables."""
    questions = Questions(answers.plan, place)
    asked = set(questions_about(victim, answers.plan))
    columns = {CLEAN: questions.clean, SNN: questions.ensemble}
    if place != FLOAT:
        columns[TRANSFERRED] = questions.transferred
    for epsilon, question in questions.by_epsilon().items():
        if question in asked and question != questions.ensemble:
            columns[f"{SNN},\nε = {255 * epsilon:g}/255"] = question
    found = {column: answers.shares(victim, [q]) for column, q in columns.items()}
    strongest = questions.strongest()
    found[WORST] = answers.shares(victim, strongest)
    found[EVERY_DRAW] = answers.shares(victim, strongest, every_draw=True)
    return found


def _showings(answers: Answers, victim: Victim, place: str) -> Shares:
    """Return whether images are right in each of several showings, by ε and their number."""
    counts = [count for count in SHOWINGS if count <= answers.plan.all_trials]
    return {
        f"ε = {255 * epsilon:g}/255, {count} showings": answers.in_a_row(victim, question, count)
        for epsilon, question in Questions(answers.plan, place).by_epsilon().items()
        for count in counts
    }


def _accuracies(shares: AllShares) -> Iterator[AccuracyCell]:
    for (victim, place), columns in shares.items():
        for column, right in columns.items():
            yield _accuracy_cell(victim, place, column, right)


def _accuracy_cell(victim: Victim, place: str, column: str, right: torch.Tensor) -> AccuracyCell:
    return AccuracyCell(
        victim.defence,
        victim.title,
        place,
        column,
        estimate_accuracy(right.mean(0, keepdim=True)),
        estimate_over_trainings(right.mean(1)),
    )


def _asked_once(
    answers: Answers, columns: Callable[[Questions], Mapping[str, Question]]
) -> Iterator[AccuracyCell]:
    """Yield the accuracies of the first training under further attacks."""
    for victim in _victims(answers):
        asked = set(questions_about(victim, answers.plan))
        for place in answers.plan.places_of(victim):
            for column, question in columns(Questions(answers.plan, place)).items():
                if question in asked:
                    right = answers.shares(victim, [question])[:1]
                    yield _accuracy_cell(victim, place, column, right)


def _difference_cell(
    victim: Victim, place: str, column: str, first: torch.Tensor, second: torch.Tensor
) -> DifferenceCell:
    """Return ``second − first`` on the images that both have, (seeds, images) shares each."""
    images = min(first.shape[1], second.shape[1])
    first, second = first[:, :images], second[:, :images]
    return DifferenceCell(
        victim.defence,
        victim.title,
        place,
        column,
        estimate_difference(*(right.mean(0, keepdim=True) for right in (first, second))),
        estimate_over_trainings(second.mean(1) - first.mean(1)),
    )


def _against_lif(shares: AllShares) -> Iterator[DifferenceCell]:
    for (victim, place), ours in shares.items():
        plain = Victim(defence=victim.defence)
        if victim == plain or place != FLOAT:
            continue
        theirs = shares[plain, FLOAT]
        for column, right in ours.items():
            if column in theirs:
                # Baselines and other σ are trained once, so they meet the LIF's first training.
                seeds = len(right)
                yield _difference_cell(victim, FLOAT, column, theirs[column][:seeds], right)


def _against_float(shares: AllShares) -> Iterator[DifferenceCell]:
    for (victim, place), columns in shares.items():
        if place != FLOAT:
            for column, right in columns.items():
                reference = shares[victim, FLOAT][SNN if column == TRANSFERRED else column]
                yield _difference_cell(victim, place, column, reference, right)


def _winners(answers: Answers) -> Iterator[WinnerCell]:
    for victim in _victims(answers):
        for place in answers.plan.places_of(victim):
            shares = answers.winners(victim, Questions(answers.plan, place).ensemble)
            yield WinnerCell(victim.defence, victim.title, place, shares)


def _masking(answers: Answers) -> Iterator[MaskingCell]:
    for victim in _victims(answers):
        for place in answers.plan.places_of(victim):
            questions, asked = Questions(answers.plan, place), questions_about(victim, answers.plan)
            if questions.fgsm in asked or questions.climb in asked:
                for finding in _signs(answers, victim, place):
                    yield MaskingCell(victim.defence, victim.title, place, finding)


def _signs(answers: Answers, victim: Victim, place: str) -> list[Finding]:
    """Return the signs of masked gradients on a victim's first training in a place.

    The white box is the worst of the attacks with gradients. Surrogates are compared by one
    attack, which differs in nothing else.
    """
    questions = Questions(answers.plan, place)
    asked = set(questions_about(victim, answers.plan))

    def right(*of: Question) -> torch.Tensor:
        return answers.shares(victim, of)[:1]

    white = right(questions.pgd, questions.auto_rand, questions.ensemble)
    found = []
    for name, question in {
        "single_step": questions.fgsm,
        "noise": questions.noise,
        "black_box": questions.square,
        "transferred": questions.transferred,
        "unbounded": questions.unbounded,
    }.items():
        if question in asked:
            images = min(question.images, white.shape[1])
            less: dict[str, Any] = {name: right(question)[:, :images]}
            found += find_masking(white[:, :images], **less)
    climbs = questions.by_surrogate()
    others = {name: right(q) for name, q in climbs.items() if q in asked and name != OWN}
    if others:
        found += find_masking(right(climbs[OWN]), surrogates=others)
    if answers.plan.has_curves(victim):
        for axis, by_value in _by_budget(answers, victim, place).items():
            found += find_helpful_budgets(axis, by_value)
    return found


def _by_budget(
    answers: Answers, victim: Victim, place: str
) -> dict[str, dict[float, torch.Tensor]]:
    """Return shares of right answers under the varied attack's budgets, on the same images.

    Returns:
        The part of the budget that is varied → its value → (1, images); the standard value is among
        them.
    """
    questions = Questions(answers.plan, place)
    climb = questions.climb
    standard = {"epsilon": climb.epsilon, "iterations": climb.iterations, "draws": climb.draws}
    found = {}
    for axis, varied in questions.curves().items():
        asked = {**varied, standard[axis]: climb}
        found[axis] = {value: answers.shares(victim, [asked[value]])[:1] for value in sorted(asked)}
    return found


def _curves(answers: Answers) -> Iterator[CurvePoint]:
    for victim in _victims(answers):
        if answers.plan.has_curves(victim):
            for place in answers.plan.places_of(victim):
                for axis, by_value in _by_budget(answers, victim, place).items():
                    for value, right in by_value.items():
                        yield _point(victim, place, axis, value, right)


def _converged(answers: Answers) -> Iterator[DifferenceCell]:
    """Yield what each larger number of iterations changes, in pairs of neighbours."""
    for victim in _victims(answers):
        if answers.plan.has_curves(victim):
            for place in answers.plan.places_of(victim):
                by_value = _by_budget(answers, victim, place)["iterations"]
                for fewer, more in zip(list(by_value), list(by_value)[1:], strict=False):
                    column = f"{more:g} − {fewer:g}"
                    yield _difference_cell(victim, place, column, by_value[fewer], by_value[more])


def _sigma_curves(answers: Answers) -> Iterator[CurvePoint]:
    for victim in _victims(answers):
        if victim.neuron == "RandHet-SNN" and victim.defence in answers.plan.curves.defences:
            for place in answers.plan.places_of(victim):
                right = answers.shares(victim, [Questions(answers.plan, place).ensemble])[:1]
                yield _point(replace(victim, sigma=1.0), place, "sigma", victim.sigma, right)


def _point(victim: Victim, place: str, axis: str, value: float, right: torch.Tensor) -> CurvePoint:
    accuracy = estimate_accuracy(right)
    return CurvePoint(victim.defence, victim.title, place, axis, value, accuracy)


def _similarities(answers: Answers) -> Iterator[SimilarityCell]:
    for victim in answers.plan.victims():
        for variant in comparisons_about(victim, answers.plan):
            cosines = answers.cosines(victim, variant)
            yield SimilarityCell(
                victim.defence, victim.title, variant, cosines.gradient, cosines.perturbation
            )


def _draws_by_depth(answers: Answers) -> Iterator[DepthPoint]:
    """Yield accuracy under one attack against its EOT draws and the number of random layers."""
    depth, plan = answers.plan.depth, answers.plan
    for victim in _victims(answers):
        if depth is not None and plan.varies_depth(victim):
            for layers in (*depth.attacked_layers, None):
                asked = Questions(plan, FLOAT).by_draws(depth, layers)
                for count, question in asked.items():
                    accuracy = estimate_accuracy(answers.shares(victim, [question])[:1])
                    variant = Variant(random_layers=layers)
                    yield DepthPoint(victim.defence, victim.title, variant, count, accuracy)
