"""Signs that gradients are masked, in what a parity check has shown to its sides."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from stochi.attacks.masking import (
    Finding,
    find_helpful_budgets,
    find_masking,
    find_zero_gradients,
    zero_gradients,
)
from stochi.attacks.recipe import Plain
from stochi.attacks.surrogates.choice import OWN
from stochi.data.samples import Samples
from stochi.devices import device_of
from stochi.parity.attacked import Attacked, asked_batch_first, batch_first
from stochi.parity.batch_sizes import Asked, fit_asked, images_at_a_time
from stochi.parity.results import CHIP, FLOAT, TWIN, MaskingSign
from stochi.program.program import Program
from stochi.turns import seeded

SURFACES = {FLOAT: (FLOAT, FLOAT), CHIP: (TWIN, CHIP)}
"""Side → the surfaces of the white box and of the black box that know it best."""


def find_signs(shown: Sequence[Attacked]) -> list[MaskingSign]:
    """Signs that :func:`stochi.attacks.masking.find_masking` finds on each side, at each ε.

    The white box is the gradient attack that leaves the side least right, of those made on the
    side's own surface, and of several iterations if there is one. It is compared with everything
    that knows less, each kind by its best attack. At ε = 1 it is also the attack without a bound.
    No white box of several iterations may leave more right with a larger ε.
    """
    found = []
    for epsilon in sorted({e for one in shown if (e := one.recipe.epsilon) is not None}):
        same = [one for one in shown if one.recipe.epsilon == epsilon]
        for side in SURFACES:
            found += _signs_on(side, epsilon, same)
    for side in SURFACES:
        found += _signs_across(side, shown)
    return found


def find_blind_images(
    side: str,
    surface: nn.Module,
    samples: Samples,
    draws: int,
    seed: int,
    batch_size: int,
    program: Program | None = None,
) -> list[MaskingSign]:
    """Whether a side's surface gives images no gradient at all.

    Args:
        side: "float" or "chip".
        surface: the model whose gradients an attacker of the side follows.
        draws: number of EOT samples.
        seed: of torch's generator, which is left as it was.
        batch_size: largest number of images at a time.
        program: the Program of the model, which tells cheaply that the memory suffices.
    """
    device = device_of(surface)
    shown, every = batch_first(samples).to(device), samples.labels.to(device)
    model = asked_batch_first(surface, samples)
    few = images_at_a_time(shown, draws, batch_size)
    few = fit_asked(
        Asked("inputs whose gradients are taken", draws), model, shown, every, few, program
    )
    with seeded(seed):
        shares = [
            zero_gradients(model, inputs, labels, draws)
            for inputs, labels in zip(shown.split(few), every.split(few), strict=True)
        ]
    found = find_zero_gradients(torch.cat(shares).cpu())
    return [_sign(side, None, None, finding) for finding in found]


def _signs_on(side: str, epsilon: float, shown: Sequence[Attacked]) -> list[MaskingSign]:
    white, black = SURFACES[side]
    gradient = [one for one in shown if one.recipe.uses_gradients]
    own = [one for one in gradient if one.made_on == white]
    several = _of_several_steps(own)
    strongest = _strongest(several or own, side)
    if strongest is None:
        return []
    right = strongest.correct[side]
    less = {
        "single_step": [one for one in own if several and one.recipe.single_step],
        "black_box": [
            one for one in shown if one.made_on == black and not one.recipe.uses_gradients
        ],
        "transferred": [one for one in gradient if one.made_on != white],
        "noise": [one for one in shown if not one.recipe.uses_model],
    }
    best = {kind: _strongest(others, side) for kind, others in less.items()}
    compared: dict[str, Any] = {
        kind: one.correct[side] for kind, one in best.items() if one is not None
    }
    signs = find_masking(right, **compared, unbounded=right if epsilon == 1 else None)
    found = [_sign(side, epsilon, strongest.recipe.name, sign) for sign in signs]
    for one in several:
        if one.recipe.parameters.get("surrogates") == OWN:
            others = _through_other_surrogates(one, several, side)
            signs = find_masking(one.correct[side], surrogates=others)
            found += [_sign(side, epsilon, one.recipe.name, sign) for sign in signs]
    return found


def _through_other_surrogates(
    own: Attacked, shown: Sequence[Attacked], side: str
) -> dict[str, torch.Tensor]:
    """Return what an attack leaves right through other surrogates, by their names."""
    rest = _parameters_but(own, "surrogates")
    return {
        str(one.recipe.parameters["surrogates"]): one.correct[side]
        for one in shown
        if one is not own
        and one.recipe.kind == own.recipe.kind
        and _parameters_but(one, "surrogates") == rest
    }


def _parameters_but(one: Attacked, left_out: str) -> dict[str, Plain]:
    """Return an attack's parameters but one, so that attacks that differ in it alone are found."""
    return {name: value for name, value in one.recipe.parameters.items() if name != left_out}


def _signs_across(side: str, shown: Sequence[Attacked]) -> list[MaskingSign]:
    """Signs of white boxes of several iterations that do worse with a larger ε.

    A single step may overshoot.
    """
    families: dict[tuple[str, str], dict[float, torch.Tensor]] = {}
    white, _ = SURFACES[side]
    own = [one for one in shown if one.recipe.uses_gradients and one.made_on == white]
    for one in _of_several_steps(own):
        epsilon = one.recipe.epsilon
        if epsilon is not None:
            family = one.recipe.kind, repr(_parameters_but(one, "epsilon"))
            families.setdefault(family, {})[epsilon] = one.correct[side]
    return [
        _sign(side, None, kind, sign)
        for (kind, _), right in families.items()
        for sign in find_helpful_budgets("ε", right)
    ]


def _sign(side: str, epsilon: float | None, white_box: str | None, found: Finding) -> MaskingSign:
    return MaskingSign(side, epsilon, white_box, **asdict(found))


def _of_several_steps(shown: Iterable[Attacked]) -> list[Attacked]:
    return [one for one in shown if not one.recipe.single_step]


def _strongest(shown: Iterable[Attacked], side: str) -> Attacked | None:
    return min(shown, key=lambda one: float(one.correct[side].double().mean()), default=None)
