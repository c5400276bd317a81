"""The keys of stored answers, attacked recordings, patterns and weights on events.

As in ``stochi.study.keys``, names and values in a key never change.
"""

from dataclasses import asdict

from stochi.study.events.plan import EventStudyPlan
from stochi.study.events.questions import EventQuestion, Shown
from stochi.study.keys import CHIP_FORMAT, generator_format
from stochi.study.store import Key
from stochi.study.victims import FLOAT, Victim
from stochi.train.training import TrainingConfig

FORMAT = 1
"""Version of answers. Raise it when the same question gives another answer."""
MADE_FORMAT = 1
"""Version of what attacks make. Raise it when the same attack gives another result."""
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
        "events_made": MADE_FORMAT,
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
        "events": FORMAT,
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
        "config": asdict(config),
        "device": plan.device,
    }
