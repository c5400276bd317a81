"""Checks of the arguments of the parity check and of the ablation."""

from collections.abc import Sequence

import nir
import numpy as np
from torch import nn

from stochi.attacks.base import Attack, ImageAttack
from stochi.data.images import Images
from stochi.deploy.origin import resolve_like
from stochi.errors import InputError
from stochi.export.model.building import from_nir
from stochi.hardware.draws import check_coordinates
from stochi.program.program import Program
from stochi.sim.inputs import check_inputs
from stochi.train.twin.model import FreshDraws

ATTACKER_SEED = 2**31
"""Seed of the attacker's draws on the chip and its twin; the victims' seeds are others."""
BATCH_SIZE = 512
"""Number of images that a torch model takes at a time, so that memory does not grow with data."""


def as_float_model(model: nn.Module | nir.NIRGraph, program: Program) -> nn.Module:
    """Return the float model of a comparison; a graph becomes a torch module in real numbers.

    Raises:
        InputError: they are not a torch model or a NIR graph, and a Program, in that order.
        GraphError, LoweringError: the graph is not valid.
    """
    if not isinstance(model, nn.Module | nir.NIRGraph) or not isinstance(program, Program):
        raise InputError(
            "a torch model or a NIR graph, and a Program are needed, in this order; these are a"
            f" {type(model).__name__} and a {type(program).__name__}"
        )
    if isinstance(model, nn.Module):
        return model
    return from_nir(resolve_like(program, model), time_steps=program.target.time_steps).eval()


def check_models(*models: nn.Module | None) -> None:
    """Raise InputError if a model draws by its own count of calls."""
    if any(isinstance(model, FreshDraws) for model in models):
        raise InputError(
            "a FreshDraws model draws by its own count of calls; export, lower and compare"
            " the model inside it, .model"
        )


def check_trials(trials: int, seeds: Sequence[int], batch_size: int) -> None:
    """Raise InputError if a number is below 1, or a seed is out of range or the attacker's."""
    if trials < 1:
        raise InputError(f"trials is {trials}; at least 1 is needed")
    if not seeds:
        raise InputError("seeds is empty; pass at least one seed")
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}; a batch holds at least 1 image")
    for seed in seeds:
        check_coordinates(seed=seed)
        if seed == ATTACKER_SEED:
            raise InputError(f"seed {seed} is the attacker's; choose another")


def check_attacks(program: Program, attacks: Sequence[Attack], images: int | None) -> None:
    """Raise InputError if an attack does not take the Program's inputs, or has no image."""
    instead = (
        "attack events with GreedySpikes itself, on stochi.attacks.ProgramModel(program, seed) and"
        " on a torch model that takes (time steps, batch, *shape)"
    )
    if not isinstance(attacks, Sequence):
        raise InputError(f"attacks is {attacks!r}; pass a list of attacks")
    for attack in attacks:
        if not isinstance(attack, Attack):
            raise InputError(
                f"{attack!r} is not an attack; pass one of stochi.attacks, or make_attack(name, ε)"
            )
        if attack.batch_dim != 0:
            raise InputError(
                f"{type(attack).__name__} takes events that change from step to step, and here"
                f" inputs are (batch, *shape), the same at every step; {instead}"
            )
        # On a grid of 1 an attack on images finds events, too.
        if program.target.events and isinstance(attack, ImageAttack) and attack.grid != 1:
            raise InputError(
                f"{type(attack).__name__} moves the pixels of images, and this Program takes"
                f" events, exactly 0 or 1; {instead}"
            )
    if images is not None and images < 1:
        raise InputError(f"attack_images is {images}; leave it out to attack all")


def check_data(program: Program, images: Images) -> None:
    """Raise InputError if images or labels do not fit each other, or the Program."""
    if np.ndim(images.inputs) == len(program.input_shape) + 2:
        raise InputError(
            f"inputs have shape {tuple(images.inputs.shape)}; here they are (batch, *shape), the"
            " same at every step; show events that change from step to step to"
            " stochi.sim.run(program, events)"
        )
    if len(images.inputs) != len(images.labels):
        raise InputError(f"{len(images.inputs)} images and {len(images.labels)} labels")
    check_inputs(program, images.inputs)
    if images.labels.is_floating_point() or images.labels.dim() != 1:
        raise InputError("labels must be whole numbers, one for each image")
    if images.labels.min() < 0 or images.labels.max() >= program.classes:
        raise InputError(f"labels must lie in 0 … {program.classes - 1}, the Program's outputs")
