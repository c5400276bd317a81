"""The keys of stored answers and weights: all that they depend on.

A file is named by the digest of its key, so the names and values in a key never change: with other
ones, the answers of earlier studies would not be found again. That is why some names differ from
those in the code, ``steps`` for iterations.
"""

from stochi.program.target import NOISE_TARGETS
from stochi.study.defences import choose_defence
from stochi.study.plan import StudyPlan, TrainingPlan
from stochi.study.questions import Question
from stochi.study.store import Key
from stochi.study.variants import OWN, Variant
from stochi.study.victims import BASELINES, FLOAT, MEAN, Victim

FORMAT = 3
"""Version of answers. Raise it when the same attack or the same question gives another answer."""
COSINES_FORMAT = 2
WEIGHTS_FORMAT = 2
CHIP_FORMAT = 3
"""Version of answers from the chip. Raise it when the same network gives other integers."""
GENERATOR_FORMAT = 2
"""Version of answers with the stock generator's noise. Raise it when the generator draws others."""


def answer_key(victim: Victim, plan: StudyPlan, question: Question) -> Key:
    """Return all that an answer depends on."""
    key: dict[str, object] = {
        "format": FORMAT,
        "training": _training(victim, plan),
        "question": {
            "place": question.place,
            "attack": question.attack,
            "made_on": question.made_on,
            "epsilon": question.epsilon,
            "steps": question.iterations,
            "draws": question.draws,
            "images": question.images,
            "surrogates": question.surrogates,
        },
        "trials": plan.trials,
    }
    if question.place not in (FLOAT, MEAN):
        key["calibration_images"] = plan.calibration_images
        key["chip_format"] = CHIP_FORMAT
    variant = Variant(random_layers=question.random_layers)
    return key | generator_format(question.place) | _varied(variant) | _batches(plan)


def generator_format(place: str) -> dict[str, object]:
    """Return the version of the stock generator, if a place has one."""
    return {"generator_format": GENERATOR_FORMAT} if place in NOISE_TARGETS else {}


def similarity_key(victim: Victim, plan: StudyPlan, variant: Variant = OWN) -> Key:
    """Return all that the cosines between a variant's draws depend on."""
    return (
        _varied(variant)
        | _batches(plan)
        | {
            "format": COSINES_FORMAT,
            "training": _training(victim, plan),
            "similarity": {
                "images": plan.similarity_images,
                "draws": plan.similarity.draws,
                "epsilon": plan.pgd.epsilon,
                "steps": plan.pgd.iterations,
            },
        }
    )


def _varied(variant: Variant) -> dict[str, object]:
    """Return what a variant changes, if it changes anything."""
    return {} if variant == OWN else {"variant": variant.to_json()}


def _batches(plan: StudyPlan) -> dict[str, object]:
    """Return the size of an attack's batches, whose random choices differ, if a plan gives one."""
    return {} if plan.batch_size is None else {"batch_size": plan.batch_size}


def weights_key(victim: Victim, plan: StudyPlan) -> Key:
    """Return all that a victim's weights depend on."""
    return {"weights": _training(victim, plan)}


def _training(victim: Victim, plan: StudyPlan) -> Key:
    defence = choose_defence(victim, plan)
    # A GPU rounds other sums, so its weights are others; keys of the CPU came before devices.
    where = {} if plan.training_device == "cpu" else {"device": plan.training_device}
    return (
        where
        | _recipe(plan.training)
        | {
            "weights_format": WEIGHTS_FORMAT,
            "victim": {
                "neuron": victim.neuron,
                "defence": victim.defence,
                "randomization": victim.randomization,
                "sigma": victim.sigma,
                "seed": victim.seed,
            },
            "data": plan.data,
            "time_steps": plan.training.time_steps,
            "training_images": plan.training.images,
            "epochs": plan.training.epochs,
            "defence": None if defence is None else defence.as_dict(),
            "strength": BASELINES.get(victim.randomization),
        }
    )


def _recipe(training: TrainingPlan) -> dict[str, object]:
    """Return what differs from the networks and the optimizer that came first."""
    found: dict[str, object] = {}
    if training.network:
        found["network"] = {"kind": training.network, "width": training.width}
    if training.optimizer != "adam":
        found["optimizer"] = training.optimizer
    return found
