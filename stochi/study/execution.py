"""Running a study: victims side by side in processes, answers kept as soon as they are found."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from stochi.arguments import check_arguments
from stochi.data import load
from stochi.data.images import Images
from stochi.errors import InputError, check_at_least_one
from stochi.files import check_output_folder
from stochi.plain_text import counted
from stochi.study.answers import Answers
from stochi.study.costs import answers_cost, cosines_cost, training_cost
from stochi.study.evaluation import evaluate
from stochi.study.examination import examine
from stochi.study.image_cells import list_cells
from stochi.study.plan import StudyPlan
from stochi.study.questions import Question
from stochi.study.results import StudyResults
from stochi.study.running import examine_all
from stochi.study.store import Store
from stochi.study.variants import Variant
from stochi.study.victims import Victim
from stochi.study.work.backends import OWN, choose_carry
from stochi.study.work.spreading import spread
from stochi.temporary import kept_tidy


def conduct(
    plan: StudyPlan,
    folder: str | Path,
    data_dir: str | Path | None = None,
    *,
    processes: int = 1,
    backend: str = OWN,
    progress: Callable[[str], None] = lambda message: None,
) -> StudyResults:
    """Conduct a study: find all answers that the folder does not hold yet, and evaluate them.

    Args:
        plan: the networks and the questions.
        folder: folder of answers and weights. Each is kept as soon as it is found; a later call
            with the same folder continues where this one stopped.
        data_dir: folder of the data set's files.
        processes: number of victims that are examined at a time by own processes.
        backend: where the work is done: "processes", the study's own; "joblib", the back end of the
            surrounding ``joblib.parallel_config``; or the address of a Dask scheduler, such as
            "tcp://HOST:8786". Only this process writes into the folder then.
        progress: called with a line of text after every victim, or cell of a victim's work.

    Raises:
        InputError: an argument is out of range, the folder cannot be written into, the data set has
            too few images, or no scheduler answers.
    """
    check_arguments(conduct, locals())
    check_at_least_one(processes=processes)
    check_output_folder(folder)
    carry = choose_carry(backend, progress)
    training, test = load_images(plan, data_dir)
    answers = Answers(plan, Store(folder))
    work = {victim: answers.open_work(victim) for victim in plan.victims()}
    missing = sum(len(asked) + len(compared) for asked, compared in work.values())
    networks, lacking = counted(len(work), "network"), counted(missing, "answer")
    progress(f"{networks}, {lacking} to find; the costliest come first")
    with kept_tidy(folder):
        if carry is None:
            costs = {victim: _cost(victim, *work[victim], answers) for victim in work}
            find = partial(examine, answers=answers, training=training, test=test)
            examine_all(costs, find, processes, progress)
        else:
            spread(list_cells(answers, work), answers.store, (training, test), carry, progress)
    return evaluate(answers)


def _cost(
    victim: Victim, asked: list[Question], compared: list[Variant], answers: Answers
) -> float:
    """Return what a victim's missing answers cost, with its training if that is missing."""
    cost = answers_cost(victim, asked) + len(compared) * cosines_cost(answers.plan)
    if cost and not answers.has_weights(victim):
        cost += training_cost(victim, answers.plan)
    return cost


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
