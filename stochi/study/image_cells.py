"""The cells of a study on images: trainings, then answers about each network."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from stochi.data.images import Images
from stochi.plain_text import counted
from stochi.study.answers import Answers
from stochi.study.costs import answers_cost, cosines_cost, training_cost
from stochi.study.examination import find_answers, made_as
from stochi.study.keys import weights_key
from stochi.study.networks import load_or_train
from stochi.study.plan import StudyPlan
from stochi.study.questions import Question
from stochi.study.store import Store
from stochi.study.variants import Variant
from stochi.study.victims import Victim
from stochi.study.work.cells import Cell, in_chunks, least_cost


def list_cells(
    answers: Answers, work: Mapping[Victim, tuple[list[Question], list[Variant]]]
) -> list[Cell]:
    """Return cells that find all answers which the store lacks.

    Args:
        answers: the plan's answers so far.
        work: what is missing of each victim.
    """
    least = least_cost(sum(answers_cost(victim, asked) for victim, (asked, _) in work.items()))
    return [
        cell
        for victim, (asked, compared) in work.items()
        for cell in _cells(victim, asked, compared, answers, least)
    ]


def _cells(
    victim: Victim,
    questions: Sequence[Question],
    comparisons: Sequence[Variant],
    answers: Answers,
    least: float,
) -> Iterator[Cell]:
    plan = answers.plan
    if not questions and not comparisons:
        return
    key = weights_key(victim, plan)
    needs = frozenset([answers.store.path(key, "pt").name])
    if answers.store.get_tensors(key) is None:
        work = partial(_train, plan, victim)
        yield Cell(f"{victim.full_title}: training", work, training_cost(victim, plan))
    cost: Callable[[Sequence[Question]], float] = partial(answers_cost, victim)
    chunks = list(in_chunks(_groups(questions), cost, least))
    for number, chunk in enumerate(chunks, 1):
        title = (
            f"{victim.full_title}: part {number} of {len(chunks)}, {counted(len(chunk), 'answer')}"
        )
        yield Cell(title, partial(_find, plan, victim, chunk, []), cost(chunk), needs)
    for variant in comparisons:
        what = f"cosines, {variant.title}" if variant.title else "cosines"
        compare = partial(_find, plan, victim, [], [variant])
        yield Cell(f"{victim.full_title}: {what}", compare, cosines_cost(plan), needs)


def _groups(questions: Sequence[Question]) -> list[list[Question]]:
    """Return the questions, those together that have the same images."""
    groups: dict[Question, list[Question]] = {}
    for question in questions:
        groups.setdefault(made_as(question), []).append(question)
    return list(groups.values())


def _train(plan: StudyPlan, victim: Victim, store: Store, training: Images, _: Images) -> None:
    load_or_train(victim, plan, training, store)


def _find(
    plan: StudyPlan,
    victim: Victim,
    questions: Sequence[Question],
    comparisons: Sequence[Variant],
    store: Store,
    training: Images,
    test: Images,
) -> None:
    find_answers(victim, questions, comparisons, Answers(plan, store), training, test)
