"""Checks of what the parity checker and the ablation are asked for."""

from collections.abc import Sequence

from stochi.attacks.base import Attack
from stochi.data.images import Images
from stochi.deploy.program import Program
from stochi.errors import InputError
from stochi.hardware.noise import check_coordinates
from stochi.sim.inputs import check_inputs

ATTACKER_SEED = 2**31
"""The attacker's draws on the chip and its hardware-aware model; the victims' seeds are others."""
BATCH_SIZE = 512
"""Images that a torch model takes at a time, so that its memory does not grow with the data."""


def check_trials(trials: int, seeds: Sequence[int], batch_size: int) -> None:
    """Raise InputError where there is no trial, seed or place in a batch, or a seed is not free."""
    if trials < 1 or not seeds:
        raise InputError(f"trials is {trials} and seeds {list(seeds)}; both need at least one")
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}; a batch holds at least 1 image")
    for seed in seeds:
        check_coordinates(seed=seed)
        if seed == ATTACKER_SEED:
            raise InputError(f"seed {seed} is the attacker's; choose another")


def check_attacks(attacks: Sequence[Attack], images: int | None) -> None:
    """Raise InputError where one is no attack, or there is no image to attack."""
    for attack in attacks:
        if not isinstance(attack, Attack):
            raise InputError(
                f"{attack!r} is no attack; pass one of stochi.attacks, or make_attack(name, ε)"
            )
    if images is not None and images < 1:
        raise InputError(f"attack_images is {images}; leave it out to attack all")


def check_data(program: Program, images: Images) -> None:
    """Raise InputError where images or labels do not fit each other, or the Program."""
    if len(images.inputs) != len(images.labels):
        raise InputError(f"{len(images.inputs)} images and {len(images.labels)} labels")
    check_inputs(program, images.inputs)
    if images.labels.is_floating_point() or images.labels.dim() != 1:
        raise InputError("labels must be whole numbers, one for each image")
    if images.labels.min() < 0 or images.labels.max() >= program.classes:
        raise InputError(f"labels must lie in 0 … {program.classes - 1}, the Program's outputs")
