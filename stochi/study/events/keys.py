"""The keys of stored answers, attacked recordings, patterns and weights on events.

As in ``stochi.study.keys``, names and values in a key never change.
"""

from dataclasses import asdict

from stochi.study.events.plan import EventStudyPlan
from stochi.study.events.questions import NOISE, EventQuestion, Shown
from stochi.study.keys import CHIP_FORMAT, generator_format
from stochi.study.store import Key
from stochi.study.victims import FLOAT, Victim
from stochi.train.training_config import TrainingConfig

FORMAT, PATTERN_FORMAT = 1, 2
"""Versions of answers about attacks and patterns, raised if a question gets another answer."""
MADE_FORMAT = 1
MADE_FORMATS = {"greedy-spikes": 2, "boundary": 2, "spike-fool": 2, NOISE: 2}
"""Versions of what is made, raised if the same attack makes something else."""
WEIGHTS_FORMAT = 1


def weights_key(victim: Victim, plan: EventStudyPlan) -> Key:
    """Return all that a victim's weights depend on."""
    return {"weights": _training(victim, plan)}


def made_key(shown: Shown, seed: int, plan: EventStudyPlan) -> Key:
    """Return all that attacked recordings or a pattern depend on.

    Args:
        seed: of the training of the network that they are made on.
    """
    key: dict[str, object] = {
        "events_made": MADE_FORMATS.get(shown.original.attack, MADE_FORMAT),
        "data": plan.data,
        "shown": asdict(shown.original),
    }
    if shown.network:
        key["training"] = _training(Victim(shown.network, seed=seed), plan)
        key |= _chip(shown.place, plan)
    if shown.is_pattern:
        key["patterns"] = {"samples": plan.patterns.samples, "asked": plan.patterns.asked}
    return key


def answer_key(victim: Victim, plan: EventStudyPlan, question: EventQuestion) -> Key:
    """Return all that an answer depends on."""
    return {
        "events": PATTERN_FORMAT if question.shown.is_pattern else FORMAT,
        "training": _training(victim, plan),
        "place": question.place,
        "attack": question.shown.attack,
        "made": made_key(question.shown, victim.seed, plan),
        "trials": plan.trials,
        **_chip(question.place, plan),
    }


def _chip(place: str, plan: EventStudyPlan) -> dict[str, object]:
    if place == FLOAT:
        return {}
    chip: dict[str, object] = {
        "calibration_samples": plan.calibration_samples,
        "chip_format": CHIP_FORMAT,
    }
    return chip | generator_format(place)


def _training(victim: Victim, plan: EventStudyPlan) -> Key:
    config = TrainingConfig.for_events(victim.seed, plan.training.epochs)
    return {
        "weights_format": WEIGHTS_FORMAT,
        "neuron": victim.neuron,
        "data": plan.data,
        "network": plan.training.network,
        "training_samples": plan.training.samples,
        "config": config.to_json(),
        "device": plan.device,
    }
