"""The cells of a study on events: trainings, what is made on each network, and answers about it."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from stochi.data.streams import Streams
from stochi.plain_text import counted
from stochi.study.events.answers import EventAnswers
from stochi.study.events.costs import training_cost, work_cost
from stochi.study.events.examination import find_answers, open_work
from stochi.study.events.keys import weights_key
from stochi.study.events.networks import load_or_train
from stochi.study.events.plan import EventStudyPlan
from stochi.study.events.questions import EventQuestion, Shown
from stochi.study.store import Store
from stochi.study.victims import Victim
from stochi.study.work.cells import Cell, in_chunks, least_cost

Part = Shown | EventQuestion
"""What is made on a victim, or a question about it."""


def list_cells(answers: EventAnswers) -> list[Cell]:
    """Return cells that make and find all that the store lacks.

    Args:
        answers: the plan's answers so far.
    """
    work = {victim: _work(victim, answers) for victim in answers.plan.victims()}
    least = least_cost(sum(_cost(victim, parts) for victim, parts in work.items()))
    return [
        cell for victim, parts in work.items() for cell in _cells(victim, parts, answers, least)
    ]


def _work(victim: Victim, answers: EventAnswers) -> list[Part]:
    makes, own = open_work(victim, answers, False)
    _, crossing = open_work(victim, answers, True)
    return [*makes, *own, *crossing]


def _cells(
    victim: Victim, parts: Sequence[Part], answers: EventAnswers, least: float
) -> Iterator[Cell]:
    if not parts:
        return
    plan, key = answers.plan, weights_key(victim, answers.plan)
    if answers.store.get_tensors(key) is None:
        cost = training_cost(plan)
        yield Cell(f"{victim.full_title}: training", partial(_train, plan, victim), cost)
    cost_of: Callable[[Sequence[Part]], float] = partial(_cost, victim)
    chunks = list(in_chunks(_groups(parts), cost_of, least))
    for number, chunk in enumerate(chunks, 1):
        makes, questions = _divided(chunk)
        made = {_name(victim, q.shown, answers) for q in questions if q.shown.network}
        made -= {_name(victim, shown, answers) for shown in makes}
        part = f"part {number} of {len(chunks)}"
        yield Cell(
            f"{victim.full_title}: {part}, {counted(len(makes), 'attack')},"
            f" {counted(len(questions), 'answer')}",
            partial(_find, plan, victim, makes, questions),
            cost_of(chunk),
            frozenset([answers.store.path(key, "pt").name, *made]),
        )


def _groups(parts: Sequence[Part]) -> list[list[Part]]:
    """Return the parts, those together that are about the same recordings or pattern."""
    groups: dict[Shown, list[Part]] = {}
    for part in parts:
        shown = part if isinstance(part, Shown) else part.shown
        groups.setdefault(shown.original, []).append(part)
    return list(groups.values())


def _divided(parts: Sequence[Part]) -> tuple[list[Shown], list[EventQuestion]]:
    """Return what is made, and the questions."""
    makes = [part for part in parts if isinstance(part, Shown)]
    return makes, [part for part in parts if isinstance(part, EventQuestion)]


def _cost(victim: Victim, parts: Sequence[Part]) -> float:
    return work_cost(victim, *_divided(parts))


def _name(victim: Victim, shown: Shown, answers: EventAnswers) -> str:
    """Return the name of the file of what a victim is shown."""
    ending = "json" if shown.is_pattern else "pt"
    return answers.store.path(answers.made_key(victim, shown), ending).name


def _train(
    plan: EventStudyPlan, victim: Victim, store: Store, training: Streams, _: Streams
) -> None:
    load_or_train(victim, plan, training, store)


def _find(
    plan: EventStudyPlan,
    victim: Victim,
    makes: Sequence[Shown],
    questions: Sequence[EventQuestion],
    store: Store,
    training: Streams,
    test: Streams,
) -> None:
    find_answers(victim, makes, questions, EventAnswers(plan, store), training, test)
