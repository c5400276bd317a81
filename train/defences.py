"""All defences, by name. ``docs/defences.md`` says what each does."""

from dataclasses import fields

from stochi.errors import InputError
from stochi.train.adversarial_training import FGSMTraining, PGDTraining
from stochi.train.crafted_noise import CraftedNoise
from stochi.train.defence import Defence
from stochi.train.orthogonal_retraction import RegularizedAdversarialTraining
from stochi.train.sparse_gradients import SparseGradients

DEFENCES: dict[str, type[Defence]] = {
    defence.name: defence
    for defence in (
        FGSMTraining,
        PGDTraining,
        RegularizedAdversarialTraining,
        SparseGradients,
        CraftedNoise,
    )
}


def make_defence(name: str, **parameters: float) -> Defence:
    """The defence of that name, to pass to ``train_classifier``.

    Args:
        name: of ``DEFENCES``.
        parameters: its own, such as ``epsilon=``; the others keep their defaults.

    Raises:
        InputError: there is no such defence or parameter, or a parameter is out of range.
    """
    if name not in DEFENCES:
        raise InputError(f"defence is {name!r}; choose from {', '.join(DEFENCES)}")
    known = [parameter.name for parameter in fields(DEFENCES[name])]
    for parameter in parameters:
        if parameter not in known:
            raise InputError(
                f"defence {name!r} has no {parameter}; its parameters are {', '.join(known)}"
            )
    return DEFENCES[name](**parameters)
