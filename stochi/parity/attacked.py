"""The sides' answers on attacked images, and the report's rows of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import nn

from stochi.attacks.base import Attack, ImageAttack
from stochi.attacks.chosen import Chosen
from stochi.attacks.recipe import EPSILON, Recipe
from stochi.data.images import Images
from stochi.errors import InputError
from stochi.parity.results import CHIP, CLEAN, FLOAT, SIDES, TWIN, WORST, AccuracyRow, Flips
from stochi.statistics.intervals import Estimate, estimate_accuracy, estimate_difference
from stochi.statistics.worst import take_worst

Correct = Mapping[str, torch.Tensor]
"""Side → (trials, images) bool, whether the class is right."""
VALUES_AT_A_TIME = 2**18
"""Pixels of all images and draws that a torch model is shown at once. With more, what a
convolutional network keeps for its gradient leaves the caches, and then the memory."""


@dataclass(frozen=True)
class Attacked:
    """One set of attacked images, shown to every side.

    Attributes:
        recipe: of the attack.
        made_on: side whose model the attacker used; None if the attack needs none.
        correct: what each side got right.
        chosen_by: the same over as many further trials, by which the worst attack is chosen.
        by: for each image, the name of the part of the attack that made it.
    """

    recipe: Recipe
    made_on: str | None
    correct: Correct
    chosen_by: Correct
    by: tuple[str, ...] = ()


def at_each_epsilon(attacks: Sequence[Attack], epsilons: Sequence[float] | None) -> list[Attack]:
    """Repeat every attack on images at every ε.

    Attacks with another budget stay as they are, and so do all if ``epsilons`` is None.

    Raises:
        InputError: an ε is out of [0, 1], or there is none, or no attack to run at it.
    """
    if epsilons is None:
        return list(attacks)
    if not epsilons:
        raise InputError("epsilons is empty; give at least one ε, or leave it out")
    if not attacks:
        raise InputError(
            "epsilons belong to attacks, and there is none; pass attacks=[...], of"
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


def surfaces_of(recipe: Recipe) -> tuple[str | None, ...]:
    """The sides on which an attack is made.

    One that follows gradients is made on both torch models, one that asks for answers on the float
    model and on the chip itself, and one that needs no model on none.
    """
    if not recipe.uses_model:
        return (None,)
    return (FLOAT, TWIN) if recipe.uses_gradients else (FLOAT, CHIP)


def images_at_a_time(inputs: torch.Tensor, draws: int, batch_size: int | None = None) -> int:
    """Number of images that a model is shown at once, each with that many draws.

    It is ``batch_size`` at most, and no more than :data:`VALUES_AT_A_TIME` allows, but at least 1.
    """
    few = max(1, VALUES_AT_A_TIME // (inputs[0].numel() * draws))
    return few if batch_size is None else min(few, batch_size)


def run_attack(
    attack: Attack, surface: nn.Module, images: Images, batch_size: int | None = None
) -> Chosen:
    """Attack images on a model, a few at a time; also name the part that made each."""
    few = images_at_a_time(images.inputs, attack.recipe.draws, batch_size)
    found = [attack.run(surface, inputs, labels) for inputs, labels in images.split(few)]
    return Chosen(torch.cat([one.inputs for one in found]), sum((one.by for one in found), ()))


def make_attacked(
    attack: Attack, surface: nn.Module, images: Images, batch_size: int | None = None
) -> Images:
    """Attack images on a model, a few at a time."""
    return Images(run_attack(attack, surface, images, batch_size).inputs, images.labels)


def clean_row(correct: Correct, lava: Estimate | None = None) -> AccuracyRow:
    """Accuracies on the images as they are."""
    return AccuracyRow(CLEAN, CLEAN, None, None, *_compare(correct), None, lava)


def attacked_row(attacked: Attacked, clean: Correct, lava: Estimate | None = None) -> AccuracyRow:
    """Accuracies on attacked images.

    Args:
        clean: what was right on the same images before the attack.
    """
    recipe, parts = attacked.recipe, Counter(attacked.by)
    shares = {name: count / len(attacked.by) for name, count in parts.most_common()}
    return AccuracyRow(
        recipe.name,
        recipe.title,
        attacked.made_on,
        recipe.epsilon,
        *_compare(attacked.correct),
        find_flips(clean, attacked.correct),
        lava,
        {} if set(shares) == {recipe.title} else shares,
    )


def worst_rows(shown: Sequence[Attacked], clean: Correct) -> list[AccuracyRow]:
    """Accuracies on the worst images of several attacks on a model, at each ε.

    The worst is chosen for each image and side, over other draws than those that are reported.

    Args:
        clean: what was right on the same images before the attacks.
    """
    by_epsilon: dict[float, list[Attacked]] = {}
    for one in shown:
        if one.recipe.uses_model and one.recipe.epsilon is not None:
            by_epsilon.setdefault(one.recipe.epsilon, []).append(one)
    rows = []
    for epsilon, several in by_epsilon.items():
        if len(several) > 1:
            correct = {side: _worst(several, side) for side in SIDES}
            name = f"{WORST}, {EPSILON} = {epsilon:g}"
            flips = find_flips(clean, correct)
            rows.append(AccuracyRow(name, WORST, None, epsilon, *_compare(correct), flips))
    return rows


def _worst(shown: Sequence[Attacked], side: str) -> torch.Tensor:
    """Return what a side gets right of each image's worst version, (trials, images) bool."""
    choosing, reported = (
        torch.stack([answers[side] for answers in each])
        for each in ([one.chosen_by for one in shown], [one.correct for one in shown])
    )
    return take_worst(choosing, reported)


def find_flips(clean: Correct, attacked: Correct) -> Flips:
    """Find the images that an attack flips on the float model only, on the chip only, and on both.

    A side is right on an image if it is right in more than half of its trials. An image flips on a
    side that is right on it clean and not under attack.
    """
    on_float, on_chip = (
        _by_majority(clean[side]) & ~_by_majority(attacked[side]) for side in (FLOAT, CHIP)
    )
    masks = (on_float & ~on_chip, on_chip & ~on_float, on_float & on_chip)
    return Flips(*(tuple(mask.nonzero().flatten().tolist()) for mask in masks))


def _compare(
    correct: Correct,
) -> tuple[dict[str, Estimate], dict[str, Estimate], dict[str, Estimate]]:
    """Estimate every side's accuracy, the paired differences, and the shares right every time."""
    sides = {side: estimate_accuracy(correct[side]) for side in SIDES}
    differences = {
        f"{later}_minus_{earlier}": estimate_difference(correct[earlier], correct[later])
        for earlier, later in combinations(SIDES, 2)
    }
    every = {side: estimate_accuracy(correct[side].all(0, keepdim=True)) for side in SIDES}
    return sides, differences, every


def _by_majority(correct: torch.Tensor) -> torch.Tensor:
    return correct.double().mean(0) > 0.5
