"""The sides' answers on attacked images, and the report's rows of them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import torch
from torch import nn

from stochi.attacks.base import Attack, ImageAttack
from stochi.attacks.chosen import Chosen
from stochi.attacks.recipe import Recipe
from stochi.attacks.stream_model import StreamModel
from stochi.data.samples import AnySamples, Samples
from stochi.devices import device_of
from stochi.errors import InputError
from stochi.parity.batch_sizes import Asked, fit_asked, images_at_a_time
from stochi.parity.results import (
    CHIP,
    CLEAN,
    FLOAT,
    SIDES,
    TWIN,
    WORST,
    AccuracyRow,
    Errors,
    Flips,
)
from stochi.parity.scores import estimate_score, estimate_score_difference
from stochi.program.program import Program
from stochi.statistics.intervals import Estimate, estimate_accuracy
from stochi.statistics.worst import take_worst

Scores = Mapping[str, torch.Tensor]
"""Side → (trials, images): bool, whether the class is right, or the errors of a regression."""
Remember = Callable[[tuple[int, int], Callable[[], Chosen]], Chosen]
"""First sample and size of a batch, and what attacks it → the attacked, made now or before."""


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
    correct: Scores
    chosen_by: Scores
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


def run_attack(
    attack: Attack,
    surface: nn.Module,
    samples: Samples,
    batch_size: int | None = None,
    remember: Remember | None = None,
    program: Program | None = None,
    after: Callable[[int, int], None] = lambda done, total: None,
) -> Chosen:
    """Attack samples on a model, as many at a time as fit; also name the part that made each.

    Args:
        batch_size: largest number of samples at a time.
        remember: called with first sample and size of each batch and what attacks it; it gives the
            result.
        program: the Program of the model, which tells cheaply that the memory suffices.
        after: called after each batch with the numbers of samples that are attacked, and of all.

    Raises:
        InputError: a single sample does not fit the memory at hand.

    Warns:
        SmallerBatches: the batches were cut to what fits.
    """
    remember = remember or (lambda part, make: make())
    by_step, device = attack.batch_dim == 1, device_of(surface)
    shown, labels = batch_first(samples).to(device), samples.labels.to(device)
    model = surface if by_step else asked_batch_first(surface, samples)
    few = images_at_a_time(shown, attack.recipe.draws, batch_size)
    if attack.uses_model:
        given = shown.transpose(0, 1) if by_step else shown
        few = fit_asked(Asked.by(attack), model, given, labels, few, program)
    else:
        few = len(shown)  # its own choices are drawn anew in every batch, from the same seed
    parts: list[Chosen] = []
    for first, inputs, classes in zip(
        range(0, len(shown), few), shown.split(few), labels.split(few), strict=True
    ):
        given = inputs.transpose(0, 1) if by_step else inputs
        part = first, len(classes)
        parts.append(remember(part, partial(attack.run, model, given, classes)))
        after(sum(part), len(shown))
    place = samples.inputs.device
    found = torch.cat([part.inputs.to(place) for part in parts], attack.batch_dim)
    if samples.batch_dim != attack.batch_dim:
        found = found.transpose(0, 1)
    return Chosen(found, sum((part.by for part in parts), ()))


def make_attacked(
    attack: Attack,
    surface: nn.Module,
    samples: AnySamples,
    batch_size: int | None = None,
    program: Program | None = None,
) -> AnySamples:
    """Attack samples on a model, as :func:`run_attack` does."""
    found = run_attack(attack, surface, samples, batch_size, program=program)
    return samples.with_inputs(found.inputs)


def batch_first(samples: Samples) -> torch.Tensor:
    """Return inputs with the batch in front, (batch, ...)."""
    return samples.inputs.transpose(0, samples.batch_dim)


def asked_batch_first(model: nn.Module, samples: Samples) -> nn.Module:
    """Return a model that takes the inputs of :func:`batch_first`."""
    return model if samples.batch_dim == 0 else StreamModel(model)


def clean_row(correct: Scores, lava: Estimate | None = None) -> AccuracyRow:
    """Accuracies on the images as they are."""
    return AccuracyRow(
        CLEAN, CLEAN, None, None, *compare_scores(correct), every_draw(correct), None, lava
    )


def errors_of(errors: Scores, lava: Estimate | None = None) -> Errors:
    """Mean squared errors of a regression."""
    return Errors(*compare_scores(errors), lava)


def attacked_row(attacked: Attacked, clean: Scores, lava: Estimate | None = None) -> AccuracyRow:
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
        *compare_scores(attacked.correct),
        every_draw(attacked.correct),
        find_flips(clean, attacked.correct),
        lava,
        {} if set(shares) == {recipe.title} else shares,
    )


def worst_rows(shown: Sequence[Attacked], clean: Scores) -> list[AccuracyRow]:
    """Accuracies on the worst inputs of several attacks on a model, at each budget.

    The worst is chosen for each image and side, over other draws than those that are reported.

    Args:
        clean: what was right on the same images before the attacks.
    """
    by_budget: dict[str, list[Attacked]] = {}
    for one in shown:
        if one.recipe.uses_model:
            by_budget.setdefault(_budget_in_words(one.recipe), []).append(one)
    rows = []
    for words, several in by_budget.items():
        if len(several) > 1:
            correct = {side: _worst(several, side) for side in SIDES}
            flips = find_flips(clean, correct)
            compared = *compare_scores(correct), every_draw(correct)
            epsilon = several[0].recipe.epsilon
            rows.append(AccuracyRow(WORST + words, WORST, None, epsilon, *compared, flips))
    return rows


def _budget_in_words(recipe: Recipe) -> str:
    """Return what an attack may change, as the end of a name: ", ε = 0.1", " [flip], 8 events"."""
    _, bracket, kinds = recipe.title.partition(" [")
    return bracket + kinds + recipe.limit


def _worst(shown: Sequence[Attacked], side: str) -> torch.Tensor:
    """Return what a side gets right of each image's worst version, (trials, images) bool."""
    choosing, reported = (
        torch.stack([answers[side] for answers in each])
        for each in ([one.chosen_by for one in shown], [one.correct for one in shown])
    )
    return take_worst(choosing, reported)


def find_flips(clean: Scores, attacked: Scores) -> Flips:
    """Find the images that an attack flips on the float model only, on the chip only, and on both.

    A side is right on an image if it is right in more than half of its trials. An image flips on a
    side that is right on it clean and not under attack.
    """
    on_float, on_chip = (
        _by_majority(clean[side]) & ~_by_majority(attacked[side]) for side in (FLOAT, CHIP)
    )
    masks = (on_float & ~on_chip, on_chip & ~on_float, on_float & on_chip)
    return Flips(*(tuple(mask.nonzero().flatten().tolist()) for mask in masks))


def compare_scores(scores: Scores) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    """Estimate every side's accuracy or error, and the paired differences."""
    sides = {side: estimate_score(scores[side]) for side in SIDES}
    differences = {
        f"{later}_minus_{earlier}": estimate_score_difference(scores[earlier], scores[later])
        for earlier, later in combinations(SIDES, 2)
    }
    return sides, differences


def every_draw(correct: Scores) -> dict[str, Estimate]:
    """Estimate the shares of images that are right in every trial."""
    return {side: estimate_accuracy(correct[side].all(0, keepdim=True)) for side in SIDES}


def _by_majority(correct: torch.Tensor) -> torch.Tensor:
    return correct.double().mean(0) > 0.5
