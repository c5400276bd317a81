"""Universal perturbations and patches of a study: trained, searched for, kept and shown."""

from typing import Any

import torch
from torch import nn

from stochi.attacks.events.budget import EventBudget
from stochi.attacks.events.event_pattern import EventPattern
from stochi.attacks.events.patch import REALIZABLE, patch_form, train_patch
from stochi.attacks.events.pattern_form import PatternForm
from stochi.attacks.events.pattern_training import PatternTraining
from stochi.attacks.events.procedural_search import NoiseSearch, search_noise
from stochi.attacks.events.random_pattern import random_like
from stochi.attacks.events.universal import train_universal, universal_form
from stochi.data.catalogue import find_data_set
from stochi.data.streams import Streams
from stochi.program.program import Program
from stochi.study.events.plan import PatternPlan
from stochi.study.events.questions import NOISE, PATCH, Shown
from stochi.study.store import Key, Store

PATTERN_SEED = 11
"""Seed of the training of patterns and of the search for noise."""
SHIFT_SEED = 12
"""Seed of the shifts that patterns are judged at."""


def make_pattern(
    shown: Shown, model: nn.Module | Program, training: Streams, patterns: PatternPlan
) -> EventPattern:
    """Train a pattern, or search for noise, on a model.

    Args:
        model: with gradients; for noise, one that answers.
        training: the training recordings.
        patterns: how large the training is.
    """
    if shown.attack == NOISE:
        search = NoiseSearch(candidates=patterns.noises, seed=PATTERN_SEED)
        asked = training.up_to(patterns.asked)
        return search_noise(model, asked, EventBudget(shown.changes), search=search)
    assert isinstance(model, nn.Module)
    samples = training.up_to(patterns.samples)
    how = PatternTraining(iterations=patterns.iterations, draws=patterns.draws, seed=PATTERN_SEED)
    if shown.attack.endswith(PATCH):
        return train_patch(model, samples, REALIZABLE, side=shown.side, training=how)
    return train_universal(model, samples, EventBudget(shown.changes), training=how)


def keep_pattern(store: Store, key: Key, pattern: EventPattern) -> None:
    """Keep a pattern's events."""
    store.put(key, {"events": [list(event) for event in pattern.events]})


def read_pattern(store: Store, key: Key, shown: Shown, data: str) -> EventPattern | None:
    """Return a kept pattern, or None if there is none, or a damaged one.

    Args:
        data: name of the data set that it was made for.
    """
    form = form_of(shown, data)

    def check(answer: dict[str, Any]) -> None:
        _read_events(form, answer)

    kept = store.get(key, check)
    return None if kept is None else _read_events(form, kept)


def _read_events(form: PatternForm, answer: dict[str, Any]) -> EventPattern:
    return EventPattern(form, tuple((t, p, y, x) for t, p, y, x in answer["events"]))


def form_of(shown: Shown, data: str) -> PatternForm:
    """Return the window, shifts and budget of a pattern for a data set."""
    known = find_data_set(data)
    empty = torch.zeros(known.time_steps or 1, 1, *known.shape)
    one = Streams(empty, torch.zeros(1, dtype=torch.int64))
    if shown.attack.endswith(PATCH):
        return patch_form(one, REALIZABLE, shown.side)
    return universal_form(one, EventBudget(shown.changes))


def with_pattern(shown: Shown, pattern: EventPattern, samples: Streams, trial: int) -> Streams:
    """Return recordings with a pattern at the shifts of a trial; random ones differ by trial."""
    used = random_like(pattern, trial) if shown.is_random_pattern else pattern
    return samples.with_inputs(used.apply(samples.inputs, SHIFT_SEED, trial))
