"""Run a study: victims side by side in processes, answers kept as they are found."""

from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

import joblib
import torch

from stochi.data import load
from stochi.data.images import Images
from stochi.errors import InputError
from stochi.study.examine import examine
from stochi.study.plan import StudyPlan, Victim
from stochi.study.store import Store

WEIGHT_NOISE_COST = 8


def conduct(
    plan: StudyPlan,
    folder: str | Path,
    data_dir: str | Path | None = None,
    *,
    processes: int = 1,
    progress: Callable[[str], None] = lambda message: None,
) -> Store:
    """Find all answers that a plan asks for and the folder does not hold yet.

    Args:
        folder: where answers and weights are kept, each as soon as it is found; a later call with
            it goes on where this one stopped.
        data_dir: of the data set's files.
        processes: how many victims at a time.
        progress: called with a line for every victim.

    Raises:
        InputError: an argument is out of range, the data set has too few images, or a kept file is
            damaged.
    """
    if processes < 1:
        raise InputError(f"processes is {processes}; it must be at least 1")
    training, test = load_images(plan, data_dir)
    store = Store(folder)
    # The costly ones first, so that no process is left with one at the end.
    victims = sorted(plan.victims(), key=lambda victim: -_cost(victim, plan))
    # Closed, or else processes would finish what they are at when something is raised in here.
    with closing(_run(victims, plan, training, test, store, processes)) as running:
        for done, (title, found) in enumerate(running, 1):
            progress(f"{done} of {len(victims)} networks: {title}, {found} new answers")
    return store


def load_images(plan: StudyPlan, data_dir: str | Path | None) -> tuple[Images, Images]:
    """The plan's training and test images. InputError where the set has fewer."""
    training, test = load(plan.data, data_dir)
    for what, images, asked in (
        ("training_images", training, plan.training_images),
        ("images", test, plan.images),
    ):
        if len(images) < asked:
            raise InputError(f"{what} is {asked}; {plan.data} has {len(images)} of them")
    return training.first(plan.training_images), test.first(plan.images)


def _run(
    victims: list[Victim],
    plan: StudyPlan,
    training: Images,
    test: Images,
    store: Store,
    processes: int,
) -> Generator[tuple[str, int], None, None]:
    calls = (joblib.delayed(_examine)(v, plan, training, test, store) for v in victims)
    yield from joblib.Parallel(n_jobs=processes, return_as="generator_unordered")(calls)


def _cost(victim: Victim, plan: StudyPlan) -> int:
    """In questions, roughly. Weights that each draw has anew share no product."""
    each = WEIGHT_NOISE_COST if victim.randomization == "weight-noise" else 1
    return each * len(plan.questions(victim))


def _examine(
    victim: Victim, plan: StudyPlan, training: Images, test: Images, store: Store
) -> tuple[str, int]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # processes share the cores
    try:
        title, found = examine(victim, plan, training, test, store)
    finally:
        torch.set_num_threads(threads)
    return f"{title}, {victim.defence}", found
