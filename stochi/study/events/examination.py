"""Answers about one victim on events: it is trained, lowered, attacked and asked."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import torch

from stochi.attacks.events.boundary import Boundary
from stochi.attacks.events.catalogue import event_attack_class, make_event_attack
from stochi.attacks.events.event_pattern import EventPattern
from stochi.attacks.surrogates.choice import OWN
from stochi.attacks.surrogates.replacement import spiking_neurons
from stochi.data.streams import Streams
from stochi.errors import InputError
from stochi.parity.attacked import run_attack
from stochi.study.events.answers import EventAnswers
from stochi.study.events.networks import load_or_train
from stochi.study.events.patterns import keep_pattern, make_pattern, read_pattern, with_pattern
from stochi.study.events.questions import CLEAN, NOISE, EventQuestion, Shown
from stochi.study.events.recordings import keep_attacked, read_attacked, read_changed
from stochi.study.trained import TrainedNetwork
from stochi.study.victims import FLOAT, Victim

ATTACK_SEED = 5
"""Seed of the attacks' own random choices."""


def open_work(
    victim: Victim, answers: EventAnswers, crossing: bool
) -> tuple[list[Shown], list[EventQuestion]]:
    """Return what is still to be made on a victim, and the open questions about it.

    Args:
        crossing: whether questions about what other networks made are meant, or all others.
    """
    own = ("", victim.neuron)
    questions = [q for q in answers.open_questions(victim) if (q.shown.network in own) != crossing]
    if crossing:
        return [], questions
    needed = {q.shown.original: None for q in questions if q.shown.network}
    for other in answers.plan.victims():
        if other.seed == victim.seed and other != victim:
            asked = {question.shown for question in answers.open_questions(other)}
            needed |= {s.original: None for s in asked if s.network == victim.neuron}
    return [shown for shown in needed if not _is_made(victim, shown, answers)], questions


def _is_made(victim: Victim, shown: Shown, answers: EventAnswers) -> bool:
    """Return whether what a victim is shown is kept, and whole."""
    key = answers.made_key(victim, shown)
    if shown.is_pattern:
        return read_pattern(answers.store, key, shown, answers.plan.data) is not None
    return read_changed(answers.store, key) is not None


def examine(
    victim: Victim, answers: EventAnswers, training: Streams, test: Streams, crossing: bool
) -> int:
    """Find and keep all answers about a victim that are still missing.

    Args:
        answers: the plan's answers so far.
        training, test: the plan's training and test recordings.
        crossing: whether to ask about what other networks made, which must be kept already, or
            about everything else.

    Returns:
        The number of answers that were missing.
    """
    makes, questions = open_work(victim, answers, crossing)
    find_answers(victim, makes, questions, answers, training, test)
    return len(questions)


def find_answers(
    victim: Victim,
    makes: Sequence[Shown],
    questions: Sequence[EventQuestion],
    answers: EventAnswers,
    training: Streams,
    test: Streams,
) -> None:
    """Make and keep what a victim is shown, then find and keep answers about it.

    Args:
        answers: where all of this is kept, and what it needs is found.
        training, test: the plan's training and test recordings.
    """
    examination = _Examination(victim, answers, training, test)
    for shown in makes:
        examination.make(shown)
    for question in questions:
        examination.answer(question)


class _Examination:
    """One victim, its recordings, and the answers so far."""

    def __init__(
        self, victim: Victim, answers: EventAnswers, training: Streams, test: Streams
    ) -> None:
        self.victim, self.answers, self.plan = victim, answers, answers.plan
        self.training, self.test = training, test

    @cached_property
    def trained(self) -> TrainedNetwork:
        """The trained network."""
        plan = self.plan
        model = load_or_train(self.victim, plan, self.training, self.answers.store)
        calibration = self.training.up_to(plan.calibration_samples)
        return TrainedNetwork(model, calibration, self.victim.seed, plan.device)

    def make(self, shown: Shown) -> None:
        """Make and keep attacked recordings, or a pattern, on the victim's own model."""
        store, key = self.answers.store, self.answers.made_key(self.victim, shown)
        if shown.is_pattern:
            surface = self.trained.make_surface(shown.place, shown.attack == NOISE)
            pattern = make_pattern(shown, surface, self.training, self.plan.patterns)
            keep_pattern(store, key, pattern)
        else:
            samples = self.test.first(shown.samples)
            keep_attacked(store, key, samples, self._attack(shown, samples))

    def answer(self, question: EventQuestion) -> None:
        """Find and keep the answer to a question."""
        shown = question.shown
        clean = self.test.first(shown.samples)
        pattern = self._pattern(shown) if shown.is_pattern else None
        fixed = self._recordings(shown, clean) if pattern is None else None
        trials = self.plan.all_trials
        # The same recordings give the same answer again, if nothing is drawn.
        needed = trials if pattern or self.victim.draws_in(question.place) else 1
        right, reported = [], [] if fixed is None else [fixed]
        for trial in range(needed):
            seen = fixed
            if seen is None:
                assert pattern is not None
                seen = with_pattern(shown, pattern, clean, trial)
                reported += [seen] if trial >= trials - self.plan.trials else []
            found = self.trained.predict(question.place, seen, trial)
            right.append(found == clean.labels)
        rows = torch.stack(right).expand(trials, -1)
        self.answers.keep(self.victim, question, rows, clean, reported)

    def _recordings(self, shown: Shown, clean: Streams) -> Streams:
        """Return the recordings that the victim is shown, in every trial."""
        if shown.attack == CLEAN:
            return clean
        if not shown.network:
            return clean.with_inputs(self._attack(shown, clean))
        key = self.answers.made_key(self.victim, shown)
        found = read_attacked(self.answers.store, key, clean)
        if found is None:
            raise self._not_made(shown)
        return found

    def _pattern(self, shown: Shown) -> EventPattern:
        key = self.answers.made_key(self.victim, shown)
        found = read_pattern(self.answers.store, key, shown, self.plan.data)
        if found is None:
            raise self._not_made(shown)
        return found

    def _attack(self, shown: Shown, samples: Streams) -> torch.Tensor:
        """Return attacked recordings."""
        gradients = event_attack_class(shown.attack).uses_gradients
        surface = self.trained.make_surface(shown.place or FLOAT, not gradients)
        attack = make_event_attack(
            shown.attack,
            shown.budget,
            iterations=shown.iterations,
            draws=shown.draws,
            surrogates=shown.surrogates if spiking_neurons(surface) else OWN,
            seed=ATTACK_SEED,
        )
        if isinstance(attack, Boundary):
            attack = replace(attack, pool=self.training)
        return run_attack(attack, surface, samples).inputs

    def _not_made(self, shown: Shown) -> InputError:
        return InputError(
            f"{self.answers.store.folder} lacks what {shown.title} made on {shown.network}, which"
            " was deleted during the study; start the study again, and it is made again"
        )
