"""All defences by name; ``docs/defences.md`` describes them."""

from dataclasses import fields

from stochi.arguments import check_arguments
from stochi.errors import InputError
from stochi.train.defences.adversarial_training import FGSMTraining, PGDTraining
from stochi.train.defences.crafted_noise import CraftedNoise
from stochi.train.defences.defence import Defence
from stochi.train.defences.event_training import EventTraining
from stochi.train.defences.orthogonal_retraction import RegularizedAdversarialTraining
from stochi.train.defences.sparse_gradients import SparseGradients

DEFENCES: dict[str, type[Defence]] = {
    defence.name: defence
    for defence in (
        FGSMTraining,
        PGDTraining,
        RegularizedAdversarialTraining,
        SparseGradients,
        CraftedNoise,
        EventTraining,
    )
}


def make_defence(name: str, **parameters: float | str) -> Defence:
    """Make the defence with this name, for ``train_classifier``.

    Args:
        name: one of ``DEFENCES``.
        parameters: parameters of the defence, such as ``epsilon=``; the others keep their defaults.

    Raises:
        InputError: the defence or a parameter is unknown, or a parameter is out of range.
    """
    check_arguments(make_defence, locals())
    if name not in DEFENCES:
        raise InputError(f"defence is {name!r}; choose from {', '.join(DEFENCES)}")
    known = [parameter.name for parameter in fields(DEFENCES[name])]
    for parameter in parameters:
        if parameter not in known:
            raise InputError(
                f"defence {name!r} has no parameter {parameter}; its parameters are"
                f" {', '.join(known)}"
            )
    return DEFENCES[name](**parameters)
