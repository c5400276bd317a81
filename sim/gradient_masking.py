"""Signs that gradients are masked, in what a parity check has shown to its sides."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from stochi.attacks.fgsm import FGSM
from stochi.attacks.masking import (
    find_helpful_budgets,
    find_masking,
    find_zero_gradients,
    zero_gradients,
)
from stochi.data.images import Images
from stochi.sim.attacked import Attacked, images_at_a_time

SURFACES = {"float": ("float", "float"), "chip": ("hardware_aware", "chip")}
"""side → on what a white box and a black box are made that know it best."""


def find_signs(shown: Sequence[Attacked]) -> list[dict[str, Any]]:
    """What :func:`stochi.attacks.masking.find_masking` finds on each side, at each ε.

    The white box is the gradient attack that leaves the side least right of those made on the
    side's own surface, of several steps where there is one; everything that knows less and was
    also run is held against it, each kind by its best attack. Where ε is 1, it is also the attack
    without a bound. No white box of several steps may leave more right with a larger ε.

    Returns:
        Entries of the report's ``masking``.
    """
    found = []
    for epsilon in sorted({one.epsilon for one in shown if one.epsilon is not None}):
        same = [one for one in shown if one.epsilon == epsilon]
        for side in SURFACES:
            found += _signs_on(side, epsilon, same)
    for side in SURFACES:
        found += _signs_across(side, shown)
    return found


def _signs_on(side: str, epsilon: float, shown: Sequence[Attacked]) -> list[dict[str, Any]]:
    white, black = SURFACES[side]
    gradient = [one for one in shown if one.attack.uses_gradients]
    own = [one for one in gradient if one.made_on == white]
    several = _of_several_steps(own)
    strongest = _strongest(several or own, side)
    if strongest is None:
        return []
    right = strongest.correct[side]
    less = {
        "single_step": [one for one in own if several and isinstance(one.attack, FGSM)],
        "black_box": [
            one for one in shown if one.made_on == black and not one.attack.uses_gradients
        ],
        "transferred": [one for one in gradient if one.made_on != white],
        "noise": [one for one in shown if not one.attack.uses_model],
    }
    best = {kind: _strongest(others, side) for kind, others in less.items()}
    signs = find_masking(
        right,
        **{kind: None if one is None else one.correct[side] for kind, one in best.items()},
        unbounded=right if epsilon == 1 else None,
    )
    return [
        {"side": side, "epsilon": epsilon, "white_box": strongest.attack.name, **sign.as_dict()}
        for sign in signs
    ]


def _signs_across(side: str, shown: Sequence[Attacked]) -> list[dict[str, Any]]:
    """White boxes of several steps that do worse with a larger ε. One step may: it overshoots."""
    families: dict[tuple[str, str], dict[float, torch.Tensor]] = {}
    white, _ = SURFACES[side]
    own = [one for one in shown if one.attack.uses_gradients and one.made_on == white]
    for one in _of_several_steps(own):
        if one.epsilon is not None:
            family = type(one.attack).__name__, one.attack.with_budget(1.0).name
            families.setdefault(family, {})[one.epsilon] = one.correct[side]
    return [
        {"side": side, "epsilon": None, "white_box": kind, **sign.as_dict()}
        for (kind, _), right in families.items()
        for sign in find_helpful_budgets("ε", right)
    ]


def find_blind_images(
    side: str, surface: nn.Module, images: Images, draws: int, seed: int, batch_size: int
) -> list[dict[str, Any]]:
    """Whether a side's surface gives images no gradient at all.

    Args:
        side: "float" or "chip"; surface: the model whose gradients an attacker of it follows.
        draws: EOT samples; seed: of torch's generator, which is left as it was.
        batch_size: how many images at a time, at most.

    Returns:
        Entries of the report's ``masking``, without ε and white box.
    """
    few = images_at_a_time(images.inputs, draws, batch_size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        shares = [
            zero_gradients(surface, inputs, labels, draws) for inputs, labels in images.split(few)
        ]
    signs = find_zero_gradients(torch.cat(shares))
    return [{"side": side, "epsilon": None, "white_box": None, **s.as_dict()} for s in signs]


def _of_several_steps(shown: Iterable[Attacked]) -> list[Attacked]:
    return [one for one in shown if not isinstance(one.attack, FGSM)]


def _strongest(shown: Iterable[Attacked], side: str) -> Attacked | None:
    return min(shown, key=lambda one: float(one.correct[side].double().mean()), default=None)
