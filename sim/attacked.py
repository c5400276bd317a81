"""What the sides answer on attacked images, and what that says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from itertools import combinations
from typing import Any

import torch
from torch import nn

from stochi.attacks.base import Attack, ImageAttack
from stochi.data.images import Images
from stochi.errors import InputError
from stochi.sim.report import SIDES
from stochi.sim.statistics import estimate_accuracy, estimate_difference

Correct = Mapping[str, torch.Tensor]
"""side → (trials, images) bool, whether the class is right."""
VALUES_AT_A_TIME = 2**18
"""Pixels of all images and draws that a torch model is shown at once. With more, what a
convolutional network keeps for its gradient leaves the caches, and then the memory."""


@dataclass(frozen=True)
class Attacked:
    """One set of attacked images, shown to every side.

    Attributes:
        made_on: the surface, "float", "hardware_aware" or "chip"; None where the attack needs none.
    """

    attack: Attack
    made_on: str | None
    correct: Correct

    @property
    def epsilon(self) -> float | None:
        """ε of an attack on images; None where the budget is another."""
        return self.attack.epsilon if isinstance(self.attack, ImageAttack) else None


def at_each_epsilon(attacks: Sequence[Attack], epsilons: Sequence[float] | None) -> list[Attack]:
    """Every attack on images at every ε; attacks with another budget, and all where ``epsilons`` is
    None, as they are.

    Raises:
        InputError: an ε is out of [0, 1], or there is none, or no attack to run at it.
    """
    if epsilons is None:
        return list(attacks)
    if not epsilons:
        raise InputError("epsilons is empty; give at least one ε, or leave it out")
    if not attacks:
        raise InputError(
            "epsilons are those of attacks, and there is none; pass attacks=[...], of"
            " stochi.attacks, or leave epsilons out"
        )
    return [
        found
        for attack in attacks
        for found in (
            [attack.with_budget(epsilon) for epsilon in epsilons]
            if isinstance(attack, ImageAttack)
            else [attack]
        )
    ]


def describe(attack: Attack) -> dict[str, Any]:
    """An attack's class and what it was made with, in plain values."""
    found: dict[str, Any] = {"class": type(attack).__name__}
    if is_dataclass(attack):
        for field in fields(attack):
            if field.compare:
                value = getattr(attack, field.name)
                plain = value is None or isinstance(value, bool | int | float | str)
                found[field.name] = value if plain else repr(value)
    return found


def surfaces_of(attack: Attack) -> tuple[str, ...]:
    """On what an attack is made: where it follows gradients on both torch models, where it asks for
    answers on the float model and the chip itself, and else on nothing."""
    if not attack.uses_model:
        return ()
    return ("float", "hardware_aware") if attack.uses_gradients else ("float", "chip")


def images_at_a_time(inputs: torch.Tensor, draws: int, batch_size: int | None = None) -> int:
    """How many images a model is shown at once, each with so many draws: ``batch_size`` at most,
    and no more than :data:`VALUES_AT_A_TIME` allows, but one at least."""
    few = max(1, VALUES_AT_A_TIME // (inputs[0].numel() * draws))
    return few if batch_size is None else min(few, batch_size)


def make(
    attack: Attack, surface: nn.Module, images: Images, batch_size: int | None = None
) -> Images:
    """The attacked images, at most so many made at a time."""
    few = images_at_a_time(images.inputs, getattr(attack, "draws", 1), batch_size)
    found = [attack(surface, inputs, labels) for inputs, labels in images.split(few)]
    return Images(torch.cat(found), images.labels)


def accuracy_row(
    name: str,
    correct: Correct,
    *,
    made_on: str | None = None,
    epsilon: float | None = None,
    clean: Correct | None = None,
) -> dict[str, Any]:
    """An entry of the report's ``accuracy``.

    Args:
        clean: of attacked images, what was right on the same images before the attack.
    """
    differences = {
        f"{later}_minus_{earlier}": estimate_difference(correct[earlier], correct[later]).as_dict()
        for earlier, later in combinations(SIDES, 2)
    }
    return {
        "attack": name,
        "made_on": made_on,
        "epsilon": epsilon,
        **{side: estimate_accuracy(correct[side]).as_dict() for side in SIDES},
        **differences,
        "flips": None if clean is None else find_flips(clean, correct),
    }


def find_flips(clean: Correct, attacked: Correct) -> dict[str, list[int]]:
    """Which images an attack flips on the float model only, on the chip only, and on both.

    A side is right on an image where it is in more than half of its trials. An image flips on a
    side that is right on it clean and not under attack.

    Returns:
        "float_only", "chip_only", "both" → ascending indices; no image is in two of them.
    """
    on_float, on_chip = (
        _by_majority(clean[side]) & ~_by_majority(attacked[side]) for side in ("float", "chip")
    )
    where = {
        "float_only": on_float & ~on_chip,
        "chip_only": on_chip & ~on_float,
        "both": on_float & on_chip,
    }
    return {name: mask.nonzero().flatten().tolist() for name, mask in where.items()}


def _by_majority(correct: torch.Tensor) -> torch.Tensor:
    return correct.double().mean(0) > 0.5
