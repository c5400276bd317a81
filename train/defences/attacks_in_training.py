"""Inputs that are attacked while a model is trained."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import nn

from stochi.errors import InputError
from stochi.modes import in_eval_mode

MakeAttack = Callable[[int], Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]]
"""Seed of an attack's random choices → the attack."""


class _Follows(Protocol):
    @property
    def choices(self) -> tuple[object, ...]:
        """The surrogates that an attack follows."""


def attacked(
    make: MakeAttack, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """Return inputs attacked on a model in eval mode, with a seed from torch's default generator.

    In eval mode, batch norm uses the statistics that the deployed model has, and the attack's many
    passes over unfinished inputs do not change them.
    """
    attack = make(int(torch.randint(2**62, ())))
    with in_eval_mode(model):
        return attack(model, inputs, labels)


def check_one_surrogate(surrogate: str, attack: _Follows) -> None:
    """Raise InputError if an attack in training follows several surrogates."""
    if len(attack.choices) > 1:
        raise InputError(f"surrogate is {surrogate!r}; adversarial training follows a single one")
