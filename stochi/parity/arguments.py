"""Checks of the arguments of the parity check and of the ablation."""

import sys
from collections.abc import Iterator, Sequence

import nir
import torch
from torch import nn

from stochi.attacks.base import Attack, ImageAttack
from stochi.data.batches import Data, as_samples, is_in_memory, read_batches, take_front
from stochi.data.samples import Samples
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
    if not isinstance(attacks, Sequence):
        raise InputError(f"attacks is {attacks!r}; pass a list of attacks")
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
    held = max(least, (attack_images or sys.maxsize) if attacks else 1)
    front, batches = take_front(checked_batches(program, data, batch_size), held)
    check_attacks(program, attacks, front, attack_images)
    return front, batches


def checked_batches(program: Program, data: Data, batch_size: int) -> Iterator[Samples]:
    """Yield the data in batches that fit the Program, with floats as inputs.

    Raises:
        InputError: as for :func:`check_data` and :func:`stochi.data.batches.read_batches`.
    """
    dims = len(program.input_shape)
    at_once = is_in_memory(data)
    if at_once:
        data = as_samples(data, dims)
        check_data(program, data)
    for batch in read_batches(data, dims, batch_size):
        if not at_once:
            check_data(program, batch)
        inputs = batch.inputs  # events are often whole numbers or bool, which no torch layer takes
        yield batch if inputs.is_floating_point() else batch.with_inputs(inputs.float())


def check_data(program: Program, samples: Samples) -> None:
    """Raise InputError if inputs or labels do not fit each other, or the Program."""
    _check_form(program, samples)
    inputs, labels = samples.inputs, samples.labels
    if inputs.shape[samples.batch_dim] != len(samples):
        raise InputError(
            f"{inputs.shape[samples.batch_dim]} inputs of shape {tuple(inputs.shape)} and"
            f" {len(samples)} labels"
        )
    check_inputs(program, inputs)
    if samples.regression:
        _check_answers(program, labels)
        return
    if labels.dim() != 1:
        raise InputError("labels must be whole numbers, one for each input")
    if labels.min() < 0 or labels.max() >= program.classes:
        raise InputError(f"labels must lie in 0 … {program.classes - 1}, the Program's outputs")


def _check_form(program: Program, samples: Samples) -> None:
    """Raise InputError if the inputs lie in another order than their class says."""
    shape, given = program.input_shape, tuple(samples.inputs.shape)
    expected = {0: f"(batch, *{shape})", 1: f"(time steps, batch, *{shape})"}
    if len(given) == len(shape) + 2 - samples.batch_dim:
        other = "Streams" if samples.batch_dim == 0 else "Images"
        raise InputError(
            f"the inputs of {type(samples).__name__} are {expected[samples.batch_dim]}, and these"
            f" have shape {given}; pass stochi.data.{other}(inputs, labels)"
        )
    steps = program.target.time_steps
    if samples.batch_dim == 1 and given[:2] == (len(samples), steps) != (steps, len(samples)):
        raise InputError(
            f"inputs have shape {given}, the batch before the time steps; a stream is"
            f" {expected[1]}: pass inputs.transpose(0, 1)"
        )


def _check_answers(program: Program, labels: torch.Tensor) -> None:
    """Raise InputError if the labels of a regression are not of the Program's outputs."""
    outputs, steps, shape = program.classes, program.target.time_steps, tuple(labels.shape)
    fits = outputs == 1 if labels.dim() == 1 else labels.dim() in (2, 3) and shape[-1] == outputs
    if not fits:
        raise InputError(
            f"labels are {labels.dtype} of shape {shape}; classes are whole numbers, one for each"
            f" input, and the answers of a regression are (batch, {outputs}) or ({steps}, batch,"
            f" {outputs}), as this Program has {outputs} outputs"
        )
    if labels.dim() == 3 and len(labels) != steps:
        raise InputError(f"labels have {len(labels)} time steps, and this Program has {steps}")
    if not bool(labels.isfinite().all()):
        raise InputError("labels of a regression must be finite numbers")
