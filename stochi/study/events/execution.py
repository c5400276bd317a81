"""Running a study on events: first what is made on each network, then what others made on it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from stochi.arguments import check_arguments
from stochi.data.batches import in_memory
from stochi.data.catalogue import find_data_set
from stochi.data.streams import Streams
from stochi.errors import InputError, check_at_least_one
from stochi.files import check_output_folder
from stochi.plain_text import counted
from stochi.study.events.answers import EventAnswers
from stochi.study.events.cells import list_cells
from stochi.study.events.costs import work_cost
from stochi.study.events.evaluation import evaluate
from stochi.study.events.examination import examine, open_work
from stochi.study.events.plan import EventStudyPlan
from stochi.study.events.results import EventStudyResults
from stochi.study.events.same_recordings import check_recordings
from stochi.study.running import examine_all
from stochi.study.store import Store
from stochi.study.work.backends import OWN, choose_carry
from stochi.study.work.spreading import spread
from stochi.temporary import kept_tidy


def conduct_events(
    plan: EventStudyPlan,
    folder: str | Path,
    data_dir: str | Path | None = None,
    *,
    processes: int = 1,
    backend: str = OWN,
    progress: Callable[[str], None] = lambda message: None,
) -> EventStudyResults:
    """Conduct a study on events: find all answers that the folder lacks, and evaluate them.

    Args:
        plan: the networks and the questions.
        folder: folder of answers, attacked recordings, patterns and weights. Each is kept as soon
            as it is found; a later call with the same folder continues where this one stopped.
        data_dir: folder of the data set's files.
        processes: number of networks that are examined at a time by own processes.
        backend: where the work is done, as for :func:`stochi.study.conduct`.
        progress: called with a line of text after every network, or cell of a network's work.

    Raises:
        InputError: an argument is out of range, the folder cannot be written into, the data set has
            too few recordings or consists of images, the folder's answers are about other
            recordings, or no scheduler answers.
    """
    check_arguments(conduct_events, locals())
    check_at_least_one(processes=processes)
    check_output_folder(folder)
    carry = choose_carry(backend, progress)
    training, test = load_recordings(plan, data_dir)
    check_recordings(folder, plan.data, training, test)
    answers = EventAnswers(plan, Store(folder))
    victims = list(plan.victims())
    missing = sum(len(answers.open_questions(victim)) for victim in victims)
    networks, lacking = counted(len(victims), "network"), counted(missing, "answer")
    progress(f"{networks}, {lacking} to find; the costliest come first")
    with kept_tidy(folder):
        if carry is None:
            _examine_all(answers, training, test, processes, progress)
        else:
            spread(list_cells(answers), answers.store, (training, test), carry, progress)
    return evaluate(answers)


def _examine_all(
    answers: EventAnswers,
    training: Streams,
    test: Streams,
    processes: int,
    progress: Callable[[str], None],
) -> None:
    """Examine all networks in own processes."""
    victims = list(answers.plan.victims())
    for crossing, what in ((False, "on itself"), (True, "on other networks")):
        work = {victim: open_work(victim, answers, crossing) for victim in victims}
        costs = {victim: work_cost(victim, *work[victim]) for victim in victims}
        if any(costs.values()):
            progress(f"Networks under what was made {what}")
        find = partial(examine, answers=answers, training=training, test=test, crossing=crossing)
        examine_all({v: cost for v, cost in costs.items() if cost}, find, processes, progress)


def load_recordings(plan: EventStudyPlan, data_dir: str | Path | None) -> tuple[Streams, Streams]:
    """Load the plan's training and test recordings.

    Raises:
        InputError: the data set has fewer recordings than the plan asks for, or has images.
    """
    data = find_data_set(plan.data)
    if data.opened is None:
        raise InputError(f"{plan.data} consists of images, and this study is one of events")
    training, test = data.parts(data_dir)
    for name, part, asked in (
        ("training_samples", training, plan.training.samples),
        ("samples", test, plan.samples),
    ):
        if len(part) < asked:
            raise InputError(f"{name} is {asked}; {plan.data} has {len(part)} of them")
    loaded = [
        in_memory(part.first(asked))
        for part, asked in ((training, plan.training.samples), (test, plan.samples))
    ]
    assert isinstance(loaded[0], Streams) and isinstance(loaded[1], Streams)
    return loaded[0], loaded[1]
