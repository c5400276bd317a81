"""From the answers of a finished study on events to its results."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace

from stochi.attacks.surrogates.choice import OWN
from stochi.statistics.intervals import (
    Estimate,
    estimate_accuracy,
    estimate_over_trainings,
)
from stochi.study.events.answers import EventAnswers
from stochi.study.events.masking import find_signs
from stochi.study.events.questions import (
    CLEAN,
    NOISE,
    PATCH,
    RANDOM,
    UNIVERSAL,
    EventQuestion,
    Shown,
    clean,
    places_of,
)
from stochi.study.events.results import (
    DifferenceCell,
    EventStudyResults,
    ShareCell,
    SuccessCell,
)
from stochi.study.events.success import sizes_of, wrong_about
from stochi.study.victims import FLOAT, Victim

WORST = "worst"
LIF = "LIF"
Chosen = Callable[[Victim, EventQuestion], bool]


def evaluate(answers: EventAnswers) -> EventStudyResults:
    """Evaluate the answers of a finished study.

    Raises:
        InputError: an answer is missing, or its file is damaged.
    """

    def cells(chosen: Chosen) -> tuple[SuccessCell, ...]:
        return tuple(_successes(answers, chosen))

    return EventStudyResults(
        plan=answers.plan,
        accuracies=tuple(_accuracies(answers)),
        attacks=cells(_is_own_attack),
        worst=tuple(_worst(answers)),
        transferred=cells(lambda v, q: not q.shown.is_pattern and _is_transferred(v, q)),
        crossed=cells(lambda v, q: not q.shown.is_pattern and _is_crossed(v, q)),
        patterns=cells(lambda v, q: q.shown.attack in (UNIVERSAL, RANDOM + UNIVERSAL, NOISE)),
        patches=cells(lambda v, q: q.shown.attack in (PATCH, RANDOM + PATCH)),
        against_lif=tuple(_against_lif(answers)),
        against_float=tuple(_against_float(answers)),
        against_random=tuple(_against_random(answers)),
        masking=tuple(find_signs(answers, _victims(answers))),
    )


def _victims(answers: EventAnswers) -> list[Victim]:
    """Return each kind of victim once, with seed 0."""
    return [victim for victim in answers.plan.victims() if victim.seed == 0]


def _is_own_attack(victim: Victim, question: EventQuestion) -> bool:
    shown = question.shown
    own = not shown.network or (shown.network, shown.place) == (victim.neuron, question.place)
    return own and shown.attack != CLEAN and not shown.is_pattern


def _is_transferred(victim: Victim, question: EventQuestion) -> bool:
    shown = question.shown
    return shown.network == victim.neuron and shown.place != question.place


def _is_crossed(victim: Victim, question: EventQuestion) -> bool:
    return question.shown.network not in ("", victim.neuron)


def _made_on(victim: Victim, question: EventQuestion) -> str:
    shown = question.shown
    if shown.network and shown.network != victim.neuron:
        return shown.network
    return "own" if shown.place == question.place else shown.place


def _successes(answers: EventAnswers, chosen: Chosen) -> Iterator[SuccessCell]:
    for victim in _victims(answers):
        for question in answers.questions(victim):
            if chosen(victim, question):
                wrong = wrong_about(answers, victim, [question])
                if not wrong.anything_counts:
                    continue
                yield SuccessCell(
                    victim.title,
                    question.place,
                    question.shown.title,
                    _made_on(victim, question),
                    question.shown.column,
                    question.shown.size,
                    *wrong.success(),
                    **asdict(sizes_of(answers, victim, question)),
                )


def _full(answers: EventAnswers, victim: Victim, place: str, shown: Shown) -> list[EventQuestion]:
    """Return the attacks in a place at one budget whose worst is reported.

    They are those on all recordings: what was made there, what was made on the float model, and
    what needs no model.
    """
    return [
        question
        for question in answers.questions(victim)
        if question.place == place
        and question.shown.column == shown.column
        and question.shown.samples == answers.plan.samples
        and (_is_own_attack(victim, question) or _is_transferred(victim, question))
        and not question.shown.is_pattern
    ]


def worst_budgets(answers: EventAnswers, victim: Victim, place: str) -> dict[str, Shown]:
    """Return the budgets at which several attacks on all recordings meet, by their columns."""
    found = {
        question.shown.column: question.shown
        for question in answers.questions(victim)
        if question.place == place
        and _is_own_attack(victim, question)
        and question.shown.by_gradients
    }
    return {
        column: shown
        for column, shown in sorted(found.items(), key=lambda item: (item[1].delay, item[1].size))
        if _full(answers, victim, place, shown)
    }


def _worst(answers: EventAnswers) -> Iterator[SuccessCell]:
    for victim in _victims(answers):
        for place in places_of(victim):
            for column, shown in worst_budgets(answers, victim, place).items():
                wrong = wrong_about(answers, victim, _full(answers, victim, place, shown))
                yield SuccessCell(
                    victim.title, place, WORST, "", column, shown.size, *wrong.success()
                )


def _accuracies(answers: EventAnswers) -> Iterator[ShareCell]:
    for victim in _victims(answers):
        for place in places_of(victim):
            columns = {CLEAN: [EventQuestion(place, clean(answers.plan))]}
            for column, shown in worst_budgets(answers, victim, place).items():
                columns[f"worst, {column}"] = _full(answers, victim, place, shown)
            for column, questions in columns.items():
                wrong = wrong_about(answers, victim, questions)
                right = 1 - wrong.shares
                accuracy = estimate_accuracy(right.mean(0, keepdim=True))
                accuracy = replace(accuracy, trials=wrong.trials)
                over = estimate_over_trainings(right.mean(1))
                yield ShareCell(victim.title, place, column, accuracy, over)


def _against_lif(answers: EventAnswers) -> Iterator[DifferenceCell]:
    """Yield differences from the LIF: in floats, and on the chips from the LIF's only one."""
    plain = Victim(LIF)
    for victim in _victims(answers):
        if victim.neuron == LIF:
            continue
        for place in places_of(victim):
            theirs = FLOAT if place == FLOAT else plain.faithful
            for attack, column, made, questions in _compared(answers, victim, place):
                difference = _minus(answers, victim, questions, plain, theirs)
                if difference is not None:
                    yield DifferenceCell(
                        victim.title, place, attack, made, column, LIF, *difference
                    )


def _minus(
    answers: EventAnswers,
    victim: Victim,
    questions: Sequence[EventQuestion],
    other: Victim,
    place: str,
) -> tuple[Estimate, Estimate | None] | None:
    """Return the difference of success from another victim's, or another place's.

    Only attacks that were made on both count: the worst of more attacks would be worse by itself.
    None if there is none, or no recording that counts for both.
    """
    pairs = [
        (question, theirs)
        for question in questions
        for theirs in [_as_asked(answers, victim, question, other, place)]
        if theirs is not None
    ]
    if not pairs:
        return None
    ours, theirs = (
        wrong_about(answers, of, asked)
        for of, asked in zip((victim, other), zip(*pairs, strict=True), strict=True)
    )
    return ours.minus(theirs)


def _compared(
    answers: EventAnswers, victim: Victim, place: str
) -> Iterator[tuple[str, str, str, Sequence[EventQuestion]]]:
    """Yield what is compared between networks: the worst, each own attack, own patterns."""
    for column, shown in worst_budgets(answers, victim, place).items():
        yield WORST, column, "", _full(answers, victim, place, shown)
    for question in answers.questions(victim):
        pattern = question.shown.attack in (UNIVERSAL, PATCH) and not _is_crossed(victim, question)
        if question.place == place and (_is_own_attack(victim, question) or pattern):
            made = _made_on(victim, question)
            yield question.shown.title, question.shown.column, made, [question]


def _as_asked(
    answers: EventAnswers, victim: Victim, question: EventQuestion, other: Victim, place: str
) -> EventQuestion | None:
    """Return the question about another victim that is like one about this one, if there is one."""
    shown = question.shown
    if shown.network:
        where = FLOAT if shown.place == FLOAT else place
        shown = replace(shown, network=other.neuron, place=where)
    found = EventQuestion(place, shown)
    return found if found in answers.questions(other) else None


def _against_float(answers: EventAnswers) -> Iterator[DifferenceCell]:
    """Yield what a chip loses or gains against floats, each attacked by what was made on itself."""
    for victim in _victims(answers):
        for place in places_of(victim):
            if place == FLOAT:
                continue
            for column, shown in worst_budgets(answers, victim, place).items():
                own = [
                    question
                    for question in _full(answers, victim, place, shown)
                    if _is_own_attack(victim, question)
                ]
                difference = _minus(answers, victim, own, victim, FLOAT)
                if difference is not None:
                    yield DifferenceCell(
                        victim.title, place, WORST, "own", column, FLOAT, *difference
                    )


def _against_random(answers: EventAnswers) -> Iterator[DifferenceCell]:
    """Yield what trained patterns and noise fool more than random ones of as many events."""
    for victim in _victims(answers):
        questions = answers.questions(victim)
        for question in questions:
            shown = question.shown
            if shown.attack not in (UNIVERSAL, PATCH, NOISE):
                continue
            kind = PATCH if shown.attack == PATCH else UNIVERSAL
            like = replace(
                shown,
                attack=RANDOM + kind,
                network=victim.neuron,
                place=FLOAT,
                iterations=answers.plan.patterns.iterations,
                draws=answers.plan.patterns.draws,
                surrogates=OWN,
            )
            random = EventQuestion(question.place, like)
            difference = wrong_about(answers, victim, [question]).minus(
                wrong_about(answers, victim, [random])
            )
            if difference is None:
                continue
            yield DifferenceCell(
                victim.title,
                question.place,
                shown.title,
                _made_on(victim, question),
                shown.column,
                like.title,
                *difference,
            )
