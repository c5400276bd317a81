"""Inputs that are attacked while a model is trained."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import nn

from stochi.attacks.base import Attack, guarded
from stochi.errors import InputError
from stochi.modes import in_eval_mode

MakeAttack = Callable[[int], Attack]
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
    passes over unfinished inputs do not change them. :meth:`Defence.check_model` has been called.
    """
    attack = make(int(torch.randint(2**62, ())))
    with in_eval_mode(model):
        return attack.run(model, inputs, labels, is_known_to_forget=True).inputs


def check_can_be_attacked(
    attack: Attack, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor
) -> None:
    """Raise InputError if no attack can follow a model, as ``Attack.run`` would."""
    with guarded(model, inputs, labels, 0, attack.batch_dim):
        pass


def check_one_surrogate(surrogate: str, attack: _Follows) -> None:
    """Raise InputError if an attack in training follows several surrogates."""
    if len(attack.choices) > 1:
        raise InputError(f"surrogate is {surrogate!r}; adversarial training follows a single one")
