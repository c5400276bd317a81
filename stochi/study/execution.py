"""Running a study: victims side by side in processes, answers kept as soon as they are found."""

import time
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

import joblib
import torch

from stochi.data import load
from stochi.data.images import Images
from stochi.errors import InputError, check_at_least_one
from stochi.study.answers import Answers
from stochi.study.evaluation import evaluate
from stochi.study.examination import examine
from stochi.study.plan import StudyPlan
from stochi.study.questions import Question
from stochi.study.results import StudyResults
from stochi.study.store import Store
from stochi.study.victims import MEAN, Victim

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
        InputError: an argument is out of range, the data set has too few images, or a kept file is
            damaged.
    """
    check_at_least_one(processes=processes)
    training, test = load_images(plan, data_dir)
    answers = Answers(plan, Store(folder))
    # The costly ones first, so that no process is left with one at the end.
    costs = {victim: _cost(victim, answers) for victim in plan.victims()}
    victims = sorted(costs, key=lambda victim: -costs[victim])
    missing = sum(len(answers.open_questions(victim)) for victim in victims)
    progress(f"{len(victims)} networks, {missing} answers to find; the costliest come first")
    begun, total, paid = time.monotonic(), sum(costs.values()), 0.0
    # Closed if something is raised here: the processes would finish their victims otherwise.
    with closing(_examine_all(victims, answers, training, test, processes)) as examined:
        for done, (victim, found) in enumerate(examined, 1):
            paid += costs[victim]
            left = (total - paid) / paid * (time.monotonic() - begun) / 60 if paid else 0
            progress(
                f"{done} of {len(victims)} networks: {victim.title}, {victim.defence}, seed"
                f" {victim.seed}, {found} new answers; about {left:.0f} min left"
            )
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


def _examine_all(
    victims: list[Victim], answers: Answers, training: Images, test: Images, processes: int
) -> Generator[tuple[Victim, int], None, None]:
    """Yield each victim, in the order in which they are done, with its number of new answers."""
    calls = (joblib.delayed(_examine_alone)(v, answers, training, test) for v in victims)
    yield from joblib.Parallel(n_jobs=processes, return_as="generator_unordered")(calls)


def _examine_alone(
    victim: Victim, answers: Answers, training: Images, test: Images
) -> tuple[Victim, int]:
    """Examine a victim with one thread, because processes share the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return victim, examine(victim, answers, training, test)
    finally:
        torch.set_num_threads(threads)


def _cost(victim: Victim, answers: Answers) -> float:
    """Return what a victim's missing answers cost, roughly, in gradients of an image."""
    each = WEIGHT_NOISE_COST if victim.randomization == "weight-noise" else 1
    asked = answers.open_questions(victim)
    return float(sum(each * _question_cost(victim, question) for question in asked))


def _question_cost(victim: Victim, question: Question) -> int:
    random = bool(victim.randomization) or (
        victim.random_tau and question.place not in (MEAN, "none")
    )
    runs = question.draws if random or question.attack == "square" else 1
    return question.images * (1 + question.iterations * runs * PARTS.get(question.attack, 1))
