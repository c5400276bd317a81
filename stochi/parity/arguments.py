"""Checks of the arguments of the parity check and of the ablation."""

import sys
from collections.abc import Iterator, Sequence

import nir
from torch import nn

from stochi.arguments import shown
from stochi.attacks.base import Attack, ImageAttack
from stochi.data.batches import Data, take_front
from stochi.data.samples import Samples
from stochi.deploy.origin import resolve_like
from stochi.errors import InputError
from stochi.export.model.building import from_nir
from stochi.hardware.draws import check_coordinates
from stochi.program.program import Program
from stochi.sim.labelled import checked_batches
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


def check_trials(trials: int, seeds: Sequence[int], batch_size: int, exact: int = 1) -> None:
    """Raise InputError if a number is below 1, or a seed is out of range or the attacker's."""
    if exact < 1:
        raise InputError(f"exact_images is {exact}; compare at least 1")
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


def check_attacks(
    program: Program, attacks: Sequence[Attack], samples: Samples, count: int | None
) -> None:
    """Raise InputError if an attack does not take the samples.

    Args:
        samples: the first of those that are attacked.
        count: number of samples to attack; None: all.
    """
    if attacks and samples.regression:
        raise InputError(
            "attacks make a network answer with a wrong class, and these labels are numbers to be"
            " met; pass attacks=() (--epsilon 0)"
        )
    for attack in attacks:
        _check_attack(program, attack, samples)
    if count is not None and count < 1:
        raise InputError(f"attack_images is {count}; leave it out to attack all")


def _check_attack(program: Program, attack: Attack, samples: Samples) -> None:
    if not isinstance(attack, Attack):
        raise InputError(
            f"{attack!r} is not an attack; pass one of stochi.attacks, or make_attack(name, ε)"
        )
    if attack.batch_dim > samples.batch_dim:
        raise InputError(
            f"{type(attack).__name__} takes events that change from step to step, and here inputs"
            " are (batch, *shape), the same at every step; pass stochi.data.Streams, (time steps,"
            " batch, *shape)"
        )
    # On a grid of 1 an attack on images finds events, too.
    if program.target.events and isinstance(attack, ImageAttack) and attack.grid != 1:
        raise InputError(
            f"{type(attack).__name__} moves the pixels of images, and this Program takes events,"
            " exactly 0 or 1; use stochi.attacks.GreedySpikes on streams of events, (time steps,"
            " batch, *shape)"
        )


def read_data(
    program: Program,
    data: Data,
    batch_size: int,
    attacks: Sequence[Attack],
    attack_images: int | None,
    least: int = 1,
) -> tuple[Samples, Iterator[Samples]]:
    """Read the samples that are held in memory; also return all batches, these included.

    Args:
        attacks: attacks on the samples; without one, none are held for them.
        attack_images: number of samples to attack; None: all.
        least: number of samples that are held in any case, if there are so many.

    Raises:
        InputError: the data do not fit the Program, or the attacks do not fit the data.
    """
    if not isinstance(attacks, Sequence):
        raise InputError(f"attacks is {shown(attacks)}; pass a list of attacks")
    held = max(least, (attack_images or sys.maxsize) if attacks else 1)
    front, batches = take_front(checked_batches(program, data, batch_size), held)
    check_attacks(program, attacks, front, attack_images)
    return front, batches
