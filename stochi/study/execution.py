"""Running a study: victims side by side in processes, answers kept as soon as they are found."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from stochi.arguments import check_arguments
from stochi.data import load
from stochi.data.images import Images
from stochi.errors import InputError, check_at_least_one
from stochi.files import check_output_folder
from stochi.study.answers import Answers
from stochi.study.defences import choose_defence
from stochi.study.evaluation import evaluate
from stochi.study.examination import examine
from stochi.study.plan import StudyPlan
from stochi.study.questions import Question
from stochi.study.results import StudyResults
from stochi.study.running import examine_all
from stochi.study.store import Store
from stochi.study.victims import Victim
from stochi.temporary import kept_tidy

WEIGHT_NOISE_COST = 8
"""Cost of a network with weight noise, in that of another one.

Its weights differ in every draw, so the draws share no product.
"""
PARTS = {"auto-snn": 4, "auto-rand": 2, "square": 2}
"""Attacks that evaluate the model several times in an iteration, or have several parts."""


def conduct(
    plan: StudyPlan,
    folder: str | Path,
    data_dir: str | Path | None = None,
    *,
    processes: int = 1,
    progress: Callable[[str], None] = lambda message: None,
) -> StudyResults:
    """Conduct a study: find all answers that the folder does not hold yet, and evaluate them.

    Args:
        plan: the networks and the questions.
        folder: folder of answers and weights. Each is kept as soon as it is found; a later call
            with the same folder continues where this one stopped.
        data_dir: folder of the data set's files.
        processes: number of victims that are examined at a time.
        progress: called with a line of text after every victim.

    Raises:
        InputError: an argument is out of range, the folder cannot be written into, or the data set
            has too few images.
    """
    check_arguments(conduct, locals())
    check_at_least_one(processes=processes)
    check_output_folder(folder)
    training, test = load_images(plan, data_dir)
    answers = Answers(plan, Store(folder))
    costs = {victim: _cost(victim, answers) for victim in plan.victims()}
    missing = sum(
        len(answers.open_questions(victim)) + len(answers.open_comparisons(victim))
        for victim in costs
    )
    progress(f"{len(costs)} networks, {missing} answers to find; the costliest come first")
    find = partial(examine, answers=answers, training=training, test=test)
    with kept_tidy(folder):
        examine_all(costs, find, processes, progress)
    return evaluate(answers)


def load_images(plan: StudyPlan, data_dir: str | Path | None) -> tuple[Images, Images]:
    """Load the plan's training and test images.

    Raises:
        InputError: the data set has fewer images than the plan asks for, or has events.
    """
    training, test = load(plan.data, data_dir)
    if not (isinstance(training, Images) and isinstance(test, Images)):
        raise InputError(f"{plan.data} consists of events, and this study is one of images")
    for name, images, asked in (
        ("training_images", training, plan.training.images),
        ("images", test, plan.images),
    ):
        if len(images) < asked:
            raise InputError(f"{name} is {asked}; {plan.data} has {len(images)} of them")
    return training.first(plan.training.images), test.first(plan.images)


def _cost(victim: Victim, answers: Answers) -> float:
    """Return what a victim's missing answers cost, roughly, in gradients of an image."""
    plan = answers.plan
    asked, comparisons = answers.open_questions(victim), answers.open_comparisons(victim)
    each = WEIGHT_NOISE_COST if victim.randomization == "weight-noise" else 1
    attacked = sum(each * _question_cost(victim, question) for question in asked)
    gradients = plan.similarity.draws * (1 + plan.pgd.iterations)
    compared = len(comparisons) * plan.similarity_images * gradients
    trained = 0
    if (asked or comparisons) and not answers.has_weights(victim):
        passes = 1 if choose_defence(victim, plan) is None else 2
        trained = passes * plan.training.images * plan.training.epochs
    return float(trained + attacked + compared)


def _question_cost(victim: Victim, question: Question) -> int:
    runs = question.draws if victim.draws_in(question.place) or question.attack == "square" else 1
    return question.images * (1 + question.iterations * runs * PARTS.get(question.attack, 1))
